"""What a clinic marks as protected is sealed in its columns and in the history; everything else of HMS doesn't notice."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.core.exceptions import FieldError, ValidationError
from django.core.management import CommandError
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from core.accounts import proofs
from core.accounts.roles import Role
from core.errors import NotAllowed, ValidationFailed
from core.history.models import Change, Operation
from core.keys import memory
from core.keys.places import AMISS, BATCH, Target, TextColumn, places_of_marks
from core.keys.sealing import SEALED_TEXT, header_of, seal_text, unseal_text
from core.security.crypto import Undecipherable
from core.tenancy.context import clinic_scope, platform_scope
from core.tenancy.models import Clinic
from core.tenancy.protection import markable
from patients.models import Patient
from patients.validators import ClinicRules, patient_rules
from tests.core.keys.rotating import nobody_else_has_keys_in_memory, run
from tests.factories.patients import patient_data
from tests.factories.world import Place

__all__ = ["nobody_else_has_keys_in_memory"]

ALL = list(markable())
EMAIL, NOTES = "patient.email", "patient.notes"
TYPED = {field.name: f"unmistakable-{field.name}" for field in markable().values()} | {
    "email": "unmistakable@example.org", "phone_alt": "+447700900111", "emergency_phone": "+447700900222"
}  # fmt: skip


@pytest.fixture
def platform(riverside: Place) -> Iterator[Place]:
    """As the command works."""
    with platform_scope(reason="test"):
        yield riverside


def mark(place: Place, marks: Sequence[str]) -> None:
    Clinic.objects.filter(pk=place.clinic.pk).update(protected_fields=list(marks))


def add(place: Place, **given: Any) -> Patient:
    number = Patient.objects.filter(clinic=place.clinic).count()
    return Patient.objects.create(clinic=place.clinic, mrn=f"T-{number}", **{**patient_data(), **given})  # type: ignore[no-any-return]


def raw(patient: Patient, column: str, alias: str = "platform") -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute(f'SELECT "{column}" FROM patients_patient WHERE id = %s', [patient.pk])
        return str(cursor.fetchone()[0])


def kept(patient: Patient) -> list[Change]:
    return list(Change.objects.filter(row_id=patient.pk).order_by("id"))


# --- Reading and writing -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ALL)
def test_a_marked_field_is_sealed_and_read_as_typed(platform: Place, name: str) -> None:
    field = markable()[name]
    mark(platform, [name])
    patient = add(platform, **TYPED)
    for other in markable().values():
        stored = raw(patient, other.column)
        assert (stored[0] == SEALED_TEXT and TYPED[other.name] not in stored) == (other is field)
    assert getattr(Patient.objects.get(pk=patient.pk), field.name) == TYPED[field.name]
    assert list(Patient.objects.filter(pk=patient.pk).values_list(field.name, flat=True)) == [TYPED[field.name]]
    assert getattr(patient, field.name) == TYPED[field.name], "what was saved is as it was"


def test_an_empty_text_stays_empty_and_the_other_clinic_is_not_asked(platform: Place, hillcrest: Place) -> None:
    mark(platform, [EMAIL])
    assert raw(add(platform, email=""), "email") == ""
    assert raw(add(hillcrest, email=TYPED["email"]), "email") == TYPED["email"]


def test_an_update_in_bulk_is_sealed_too(in_riverside: Place) -> None:
    mark(in_riverside, [NOTES])
    patient = add(in_riverside)
    Patient.objects.filter(pk=patient.pk).update(notes="by update")
    assert raw(patient, "notes", "default").startswith(SEALED_TEXT)
    patient.refresh_from_db()
    assert patient.notes == "by update"
    patient.notes = "by bulk update"
    Patient.objects.bulk_update([patient], ["notes"])
    assert raw(patient, "notes", "default").startswith(SEALED_TEXT)
    Patient.objects.bulk_create([Patient(mrn="T-9", clinic=in_riverside.clinic, **patient_data(notes="by bulk create"))])
    assert raw(Patient.objects.get(mrn="T-9"), "notes", "default").startswith(SEALED_TEXT)


def test_it_is_read_whatever_the_clinic_marks_now_and_written_as_it_marks_now(platform: Place) -> None:
    mark(platform, [NOTES])
    patient = add(platform, notes="once protected")
    mark(platform, [])
    found = Patient.objects.get(pk=patient.pk)
    assert found.notes == "once protected" and raw(patient, "notes").startswith(SEALED_TEXT)
    found.save()
    assert raw(patient, "notes") == "once protected"


def test_a_sealed_text_is_of_no_use_in_another_column_or_clinic(platform: Place, hillcrest: Place) -> None:
    ours = seal_text("secret", clinic_id=platform.clinic.pk, context="patients_patient.notes")
    assert unseal_text(ours, context="patients_patient.notes") == "secret"
    with pytest.raises(Undecipherable):
        unseal_text(ours, context="patients_patient.email")
    with pytest.raises(Undecipherable):
        unseal_text(ours[:-3], context="patients_patient.notes")
    with clinic_scope(hillcrest.clinic, reason="test"), pytest.raises(Undecipherable):
        unseal_text(ours, context="patients_patient.notes")


@pytest.mark.parametrize("name", ALL)
def test_nobody_can_type_what_would_be_taken_for_a_sealed_text(in_riverside: Place, name: str) -> None:
    field = markable()[name].name
    today = Patient.objects.first().created_at.date()  # type: ignore[union-attr]
    with pytest.raises(ValidationError):
        patient_rules(ClinicRules(country="GB", today=today))[field](SEALED_TEXT + "typed")
    with pytest.raises(ValueError, match="control character"):
        add(in_riverside, **{field: SEALED_TEXT + "typed"})


@pytest.mark.parametrize("lookup", ["", "__icontains", "__startswith", "__in", "__gt", "__regex", "__lower"])
def test_nothing_can_be_asked_of_it_in_sql(in_riverside: Place, lookup: str) -> None:
    with pytest.raises(FieldError):
        list(Patient.objects.filter(**{f"notes{lookup}": "x"}))
    assert Patient.objects.filter(notes__isnull=True).count() == 0


def test_writing_costs_no_statement_more(in_riverside: Place, settings: Any) -> None:
    settings.HMS_KEYS_KEPT = 3600
    memory.keys_of(in_riverside.clinic.pk)
    with CaptureQueriesContext(connection) as clear:
        add(in_riverside, **TYPED)
    mark(in_riverside, ALL)
    memory.forget()
    known = memory.keys_of(in_riverside.clinic.pk)
    memory._by_clinic[in_riverside.clinic.pk] = known  # as in the next transaction: this one has changed the clinic itself
    assert known.protected == set(ALL)
    with CaptureQueriesContext(connection) as sealed:
        patient = add(in_riverside, **TYPED)
    assert len(sealed) == len(clear)
    assert raw(patient, "notes", "default").startswith(SEALED_TEXT)


def test_marks_whose_change_was_rolled_back_are_not_remembered(in_riverside: Place, settings: Any) -> None:
    settings.HMS_KEYS_KEPT = 3600
    mark(in_riverside, [NOTES])
    assert memory.keys_of(in_riverside.clinic.pk).protected == {NOTES}
    assert in_riverside.clinic.pk not in memory._by_clinic


# --- Bringing into line --------------------------------------------------------------------------------------------------------
def test_what_stood_in_clear_is_sealed_and_opened_again(platform: Place) -> None:
    patient = add(platform, **TYPED)
    before = Patient.objects.get(pk=patient.pk)
    changes = len(kept(patient))
    mark(platform, ALL)
    said = run("--clinic", "riverside", "--fields")
    assert "patients_patient.notes: " in said and "Protected fields are encrypted" in said
    for field in markable().values():
        assert raw(patient, field.column).startswith(SEALED_TEXT)
    after = Patient.objects.get(pk=patient.pk)
    assert all(getattr(after, name) == value for name, value in TYPED.items())
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    entries = kept(patient)
    assert [one.operation for one in entries] == ["insert"] * changes + ["protect"]
    assert not any(value in str((one.old_values, one.new_values)) for one in entries for value in TYPED.values())
    assert "encrypted anew" not in run("--clinic", "riverside", "--fields"), "nothing is left to do"
    mark(platform, [])
    run("--clinic", "riverside", "--fields")
    for field in markable().values():
        assert raw(patient, field.column) == TYPED[field.name]
    assert len(kept(patient)) == changes + 1


def test_a_rotation_of_keys_brings_them_along(platform: Place) -> None:
    mark(platform, [NOTES])
    patient = add(platform, **TYPED)
    mark(platform, [NOTES, EMAIL])
    old = raw(patient, "notes")
    run("--clinic", "riverside")
    newest = memory.keys_of(platform.clinic.pk).newest
    assert newest
    assert raw(patient, "notes") != old
    for place in places_of_marks():
        assert set(place.usage(platform.clinic.pk)) <= {header_of(newest)}
    assert Patient.objects.get(pk=patient.pk).email == TYPED["email"]


def test_a_run_that_ended_in_the_middle_goes_on(platform: Place) -> None:
    patients = [add(platform, notes=f"note {number}") for number in range(BATCH + 7)]
    mark(platform, [NOTES])
    newest = memory.keys_of(platform.clinic.pk).newest
    assert newest
    (column,) = [one for one in places_of_marks() if isinstance(one, TextColumn) and one.mark == NOTES]
    next(column.renew(Target(platform.clinic.pk, header_of(newest))))  # one step, and then the power is gone
    assert column.usage(platform.clinic.pk)[AMISS] >= 7
    run("--clinic", "riverside", "--fields")
    assert all(raw(one, "notes").startswith(SEALED_TEXT) for one in patients)
    assert [Patient.objects.get(pk=one.pk).notes for one in patients] == [f"note {number}" for number in range(BATCH + 7)]


def test_what_nobody_can_read_is_named(platform: Place) -> None:
    mark(platform, [NOTES])
    bad, good = add(platform, notes="a"), add(platform, notes="b")
    with connections["platform"].cursor() as cursor:
        cursor.execute("UPDATE patients_patient SET notes = %s WHERE id = %s", [SEALED_TEXT + "damaged", bad.pk])
    mark(platform, [])
    with pytest.raises(CommandError, match=f"patients_patient.notes {bad.pk}"):
        run("--clinic", "riverside", "--fields")
    assert raw(good, "notes") == "b"


def test_fields_go_with_clinics_alone() -> None:
    with pytest.raises(CommandError, match="--fields"):
        run("--ring", "--fields")


def test_the_application_can_not_hide_a_change_behind_a_seal(in_riverside: Place) -> None:
    patient = add(in_riverside, notes="a")
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('hms.reencrypting', 'on', true)")
        cursor.execute("UPDATE patients_patient SET notes = %s WHERE id = %s", [SEALED_TEXT + "junk", patient.pk])
    assert kept(patient)[-1].operation == Operation.UPDATE


# --- The clinic's choice -------------------------------------------------------------------------------------------------------
def test_the_administrator_ticks_fields_on_the_page(sign_in: Any, in_riverside: Place) -> None:
    administrator = sign_in(in_riverside.users[Role.CLINIC_ADMIN])
    page = administrator.get("/settings/protection/")
    assert page.status_code == 200 and page.text.count('name="protected_fields"') == len(ALL)
    read = page.context["form"]["read"].value()
    sent = {"protected_fields": [NOTES, EMAIL], "read": read}
    assert administrator.post("/settings/protection/", sent).status_code in (302, 303)
    assert Clinic.objects.get(pk=in_riverside.clinic.pk).protected_fields == [EMAIL, NOTES], "in the order of the record"
    assert "E-mail, Notes" in administrator.get("/settings/").text
    stale = administrator.post("/settings/protection/", {"protected_fields": [], "read": read})
    assert stale.status_code == 412, "who saves second is asked"


def test_the_page_asks_for_the_password_again_after_a_while(sign_in: Any, in_riverside: Place) -> None:
    administrator = sign_in(in_riverside.users[Role.CLINIC_ADMIN])
    session = administrator.session
    session[proofs.PROVED] -= proofs.PROVED_SECONDS + 1
    session.save()
    sent = administrator.post("/settings/protection/", {"protected_fields": []})
    for answer in (administrator.get("/settings/protection/"), sent):
        assert (answer.status_code, answer["Location"]) == (303, "/account/confirm/?next=/settings/protection/")


def test_it_can_be_set_in_the_administration(client: Any, in_riverside: Place) -> None:
    client.force_login(in_riverside.users[Role.CLINIC_ADMIN])
    address = f"/admin/core/clinic/{in_riverside.clinic.pk}/change/"
    sent = {"name": in_riverside.clinic.name, "time_zone": "Europe/London", "locale": "en-gb"}
    sent |= {"break_glass_minutes": "60", "protected_fields": [NOTES, EMAIL]}
    assert client.post(address, sent).status_code == 302
    assert Clinic.objects.get(pk=in_riverside.clinic.pk).protected_fields == [EMAIL, NOTES]
    assert client.post(address, {**sent, "protected_fields": ["patient.family_name"]}).status_code == 200
    assert client.get(address).context["adminform"].form.initial["protected_fields"] == [EMAIL, NOTES]


def test_only_known_fields_can_be_marked(sign_in: Any, in_riverside: Place) -> None:
    administrator = sign_in(in_riverside.users[Role.CLINIC_ADMIN])
    read = administrator.get("/settings/protection/").context["form"]["read"].value()
    answer = administrator.post("/settings/protection/", {"protected_fields": ["patient.family_name"], "read": read})
    assert answer.status_code == 422 and answer.context["form"].errors["protected_fields"]
    clinic = Clinic.objects.get(pk=in_riverside.clinic.pk)
    clinic.protected_fields = ["patient.family_name"]
    with pytest.raises(ValidationError):
        clinic.full_clean()


def test_nobody_else_may(sign_in: Any, in_riverside: Place) -> None:
    from clinics.services import protect_fields

    desk = sign_in(in_riverside.users[Role.RECEPTIONIST])
    assert desk.get("/settings/protection/").status_code == 403
    with pytest.raises(NotAllowed):
        protect_fields(actor=in_riverside.actor(Role.RECEPTIONIST), fields=[NOTES])
    with pytest.raises(ValidationFailed):
        protect_fields(actor=in_riverside.actor(Role.CLINIC_ADMIN), fields=["clinic.name"])
