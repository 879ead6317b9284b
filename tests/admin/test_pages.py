"""Every list, form and record of the admin: who gets in, who sees what, and that nothing of another clinic shows."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core.accounts.roles import CLINIC_ROLES, MATRIX, Role
from core.database.fingerprint import NOT_COUNTED
from core.history.models import Change
from core.tenancy.context import clinic_scope
from tests.admin.conftest import Furnished
from tests.factories.queue import a_ticket
from tests.factories.world import World

OUR_APPS = ("core", "clinics", "patients", "appointments", "hms")
NOT_REGISTERED = {
    "core.Draft": "what somebody is typing: encrypted, that person's alone",
    "core.IdempotencyRecord": "first answers to requests: encrypted, short-lived, that person's alone",
    "core.OneTimeCode": "digests that are good for minutes",
    "core.SecondFactor": "that person's alone; operators remove all of a person's under Users",
    "core.Notification": "each person's own; nobody else reads it",
    "core.OutgoingMessage": "what was told to whom: encrypted, and sent by hms_platform alone",
    "core.AccessEvent": "read on the patient's record and in the oversight pages",
    "core.AccessedPatient": "read on the patient's record and in the oversight pages",
    "core.ApiKey": "made and ended in the clinic's settings, where the key is shown once",
    "core.ClinicKey": "wrapped secrets; `manage.py rotate_encryption_keys` is the only hand on them",
    "core.BreakGlass": "read and judged on the oversight pages, never written by hand",
    "core.PatientMessage": "read on the patient's page, moved on by hms_platform alone",
    "core.Suppression": "digests that say nothing to a reader; told and lifted on the patient's page",
    "core.MetricSample": "figures of minutes; the system page draws them",
    "core.BackupRun": "written by backups and drills alone; core.backup.status tells the newest",
    "core.RateCounter": "counts under keyed digests, gone after an hour",
    "core.ScheduleMark": "moved by the clock; by hand it would begin jobs twice or never",
    "core.WorkerProcess": "says of itself that it lives; shown above the list of jobs",
    "patients.Anonymisation": "told on the record's page; only the service makes one, and nobody changes one",
    "patients.PatientToken": "keyed hashes that say nothing to a reader",
    "patients.MrnSequence": "a counter; changing it by hand would give numbers out twice",
    "appointments.ServiceProvider": "who offers a service is chosen in the service's own form",
    "appointments.Reminder": "made by the clock; what the patient answered stands in the visit's history",
    "appointments.LocationQueue": "set up on the queue's own page in the settings",
    "appointments.QueueScreen": "made and ended there, where its address is shown",
    "appointments.QueueSeries": "set up there",
    "appointments.SeriesService": "chosen in the ticket group's own form",
    "appointments.Claim": "made and freed with the visit; by hand it would allow double booking",
}
ADMINS = [Role.CLINIC_ADMIN, Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT]
BUDGET = 13
REGISTERED = [model for model in admin.site._registry if model._meta.app_label in OUR_APPS]


def address(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_each_model_is_registered_or_named_with_the_reason() -> None:
    ours = {f"{model._meta.app_label}.{model.__name__}" for app in OUR_APPS for model in apps.get_app_config(app).get_models()}
    registered = {f"{model._meta.app_label}.{model.__name__}" for model in REGISTERED}
    assert ours - registered == set(NOT_REGISTERED)


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
@pytest.mark.parametrize("role", ADMINS, ids=lambda role: role.value)
def test_lists_and_forms_open_as_the_matrix_says(model: Any, role: Role, open_admin: Any, furnished: dict[str, Furnished]) -> None:
    place = furnished["riverside"].place
    client = open_admin(role, place)
    model_admin = admin.site._registry[model]
    allowed = role in _roles(model_admin, "view")
    with CaptureQueriesContext(connection) as sent:
        answer = client.get(address(model, "changelist"))
    queries = [query["sql"] for query in sent if not query["sql"].startswith(NOT_COUNTED)]
    assert answer.status_code == (200 if allowed else 403)
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "style=" not in answer.content.decode().split("</head>")[1]
    assert len(queries) <= BUDGET, "\n".join(query[:250] for query in queries)
    may_add = allowed and not model_admin.read_only and role in _roles(model_admin, "create")
    if model.__name__ == "Membership":  # a clinic invites
        may_add = may_add and role in MATRIX["user"]["create"]
    if model.__name__ != "ClinicSettings":
        assert client.get(address(model, "add")).status_code == (200 if may_add else 403)
    if not allowed:
        return
    with clinic_scope(place.clinic, reason="test"):
        row = _own(model, place)
    if row is not None:
        answer = client.get(address(model, "change", row.pk))
        assert answer.status_code == 200, answer.headers
        assert client.get(address(model, "history", row.pk)).status_code == 200


def _roles(model_admin: Any, action: str) -> frozenset[Role]:
    name = "history" if model_admin.model.__name__ == "AppointmentChange" and action == "view" else action
    return MATRIX[model_admin.resource].get(name, frozenset())


def _own(model: Any, place: Any) -> Any:
    rows = model._default_manager.all()
    if model.__name__ == "Clinic":
        return place.clinic
    if model.__name__ == "Membership":
        return rows.filter(clinic=place.clinic).first()
    return rows.first()


@pytest.mark.parametrize("role", sorted(CLINIC_ROLES - {Role.CLINIC_ADMIN}), ids=lambda role: role.value)
def test_nobody_else_gets_in(role: Role, open_admin: Any, world: World) -> None:
    client = open_admin(role, world.riverside)
    for url in (reverse("admin:index"), reverse("admin:permission-matrix"), reverse("admin:login")):
        assert client.get(url, follow=True).status_code == 403
    for model in REGISTERED:
        assert client.get(address(model, "changelist"), follow=True).status_code == 403


def test_a_stranger_signs_in_on_our_page(client: Any, world: World) -> None:
    answer = client.get(reverse("admin:clinics_location_changelist"), follow=True)
    page, _ = answer.redirect_chain[-1]
    assert page.startswith(reverse("pages:sign-in"))
    assert "next=%2Fadmin%2Fclinics%2Flocation%2F" in page


@pytest.mark.parametrize("role", [Role.CLINIC_ADMIN, Role.SUPER_ADMIN], ids=lambda role: role.value)
def test_another_clinics_records_are_not_there(role: Role, open_admin: Any, furnished: dict[str, Furnished]) -> None:
    own, other = furnished["riverside"], furnished["hillcrest"]
    client = open_admin(role, own.place)
    rows = [
        *other.place.locations, *other.place.rooms, *other.place.providers, *other.place.services, other.patient, other.visit,
        *list(other.place.memberships.values())[:2],
    ]  # fmt: skip
    if role == Role.CLINIC_ADMIN:
        rows.append(other.place.clinic)
    for row in rows:
        for page in ("change", "history"):
            answer = client.get(address(type(row), page, row.pk), follow=True)
            text = answer.content.decode()
            assert answer.status_code == 404 or answer.redirect_chain[-1][0] == reverse("admin:index")
            assert "Featherstone" not in text
            if hasattr(row, "mrn"):
                assert row.mrn not in text
        assert client.post(address(type(row), "change", row.pk), {"name": "Taken"}).status_code in (302, 403, 404)


def test_lists_show_the_own_clinic_alone(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    client = open_admin(Role.CLINIC_ADMIN, furnished["riverside"].place)
    patients = client.get(reverse("admin:patients_patient_changelist")).content.decode()
    assert "Quartermaine" in patients and "Featherstone" not in patients
    members = client.get(reverse("admin:core_membership_changelist")).content.decode()
    assert "@riverside.test" in members and "@hillcrest.test" not in members
    clinics = client.get(reverse("admin:core_clinic_changelist")).content.decode()
    assert "Riverside Practice" in clinics and "Hillcrest" not in clinics


def test_without_a_clinic_a_platform_role_sees_the_platform_alone(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    client = open_admin(Role.SUPER_ADMIN, None)
    index = client.get(reverse("admin:index")).content.decode()
    assert "No clinic is chosen" in index
    assert reverse("admin:core_user_changelist") in index
    assert reverse("admin:patients_patient_changelist") not in index
    assert client.get(reverse("admin:patients_patient_changelist")).status_code == 403


def test_a_platform_role_switches_the_clinic_in_the_header(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    client = open_admin(Role.SUPER_ADMIN, None)
    other = furnished["hillcrest"].place.clinic
    assert f'value="{other.pk}"' in client.get(reverse("admin:index")).content.decode()
    answer = client.post(reverse("pages:switch-clinic"), {"clinic": str(other.pk), "next": reverse("admin:index")})
    assert answer.status_code == 302 and answer["Location"] == reverse("admin:index")
    assert "Featherstone" in client.get(reverse("admin:patients_patient_changelist")).content.decode()


def test_the_permission_matrix_shows_each_rule(open_admin: Any, world: World) -> None:
    text = open_admin(Role.SUPPORT, world.riverside).get(reverse("admin:permission-matrix")).content.decode()
    for resource, actions in MATRIX.items():
        for action in actions:
            assert f"{resource} · {action}" in text
    table = text.split('class="hms-matrix"')[1]
    assert table.count("<td>") == len(Role) * sum(len(actions) for actions in MATRIX.values())


@pytest.mark.parametrize("name", ["patients_patient", "appointments_appointment", "core_membership", "clinics_provider"])
def test_longer_lists_cost_no_more_queries(name: str, open_admin: Any, furnished: dict[str, Furnished]) -> None:
    from tests.admin.conftest import furnish

    client = open_admin(Role.CLINIC_ADMIN, furnished["riverside"].place)
    url = reverse(f"admin:{name}_changelist")
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    place = furnished["riverside"].place
    for hour, given, family in ((12, "Bartholomew", "Ashgrove"), (14, "Quintessa", "Umberfield")):
        furnish(place, given, family, hour)
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) <= len(few)


def test_whoever_works_at_some_locations_sees_the_care_of_these_alone(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    """Visits, tickets, and the history of both."""
    place, visit = furnished["riverside"].place, furnished["riverside"].visit
    with clinic_scope(place.clinic, reason="test"):
        a_ticket(place)
    resources = [model for model in REGISTERED if getattr(admin.site._registry[model], "resource", "") in ("appointment", "queue")]
    assert {model.__name__ for model in resources} >= {"Appointment", "AppointmentChange", "Ticket", "TicketChange"}

    def shown() -> dict[str, int]:
        client = open_admin(Role.CLINIC_ADMIN, place)
        return {model.__name__: client.get(address(model, "changelist")).context["cl"].result_count for model in resources}

    assert all(shown().values())
    membership = place.memberships[Role.CLINIC_ADMIN]
    membership.location_ids = [next(one.pk for one in place.locations if one.pk not in (visit.location_id, place.locations[0].pk))]
    with clinic_scope(place.clinic, reason="test"):
        membership.save()
    assert not any(shown().values())


def test_the_history_is_for_who_works_at_every_location(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    """The values of every visit stand in it."""
    place = furnished["riverside"].place
    membership = place.memberships[Role.CLINIC_ADMIN]
    with clinic_scope(place.clinic, reason="test"):
        entry = Change.objects.filter(row_id=furnished["riverside"].visit.pk).latest("pk")
    addresses = [address(Change, "changelist"), reverse("admin:core_change_change", args=[entry.pk])]
    assert [open_admin(Role.CLINIC_ADMIN, place).get(one).status_code for one in addresses] == [200, 200]
    membership.location_ids = [place.locations[1].pk]
    with clinic_scope(place.clinic, reason="test"):
        membership.save()
    assert [open_admin(Role.CLINIC_ADMIN, place).get(one).status_code for one in addresses] == [403, 403]
    assert addresses[0] not in open_admin(Role.CLINIC_ADMIN, place).get(reverse("admin:index")).text
