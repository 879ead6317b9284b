"""What the foundation's own tables have, or lack, on purpose."""

from core.database.advice import accept

DJANGO = "Django's own table, small; its migrations are Django's."
PEOPLE_STAY = "People are deactivated, never deleted, and nothing asks by person across clinics."


def register() -> None:
    for table in ("auth_permission_content_type_id_2f476e4b", "auth_group_permissions_group_id_b120cbf9"):
        accept(table, DJANGO)
    by_people = (
        "core_apikey(made_by_id)",
        "core_apikey(ended_by_id)",
        "core_breakglass(user_id)",
        "core_breakglass(reviewed_by_id)",
    )
    for subject in by_people:
        accept(subject, PEOPLE_STAY)
    accept("core_draft(clinic_id)", "Clinics are suspended, never deleted; drafts are found by their person.")
    accept("core_notification(clinic_id)", "Clinics are suspended, never deleted; notifications are found by their person.")
