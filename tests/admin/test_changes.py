"""What the admin changes goes through the services: rules stand beside the fields, and no log names a patient."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.choices import Status
from appointments.models import Appointment, AppointmentChange
from clinics.models import ClinicSettings
from core.accounts import proofs, throttle
from core.accounts.actor import system_actor
from core.accounts.models import Membership, SignInThrottle, User
from core.accounts.roles import Role
from core.accounts.services import add_member
from core.data_sync.models import DataSync
from core.data_sync.services import set_up_data_sync
from core.errors import NotAllowed
from core.outbound.models import ExternalSystem
from core.security.models import AddressBlock
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from core.webhooks.models import WebhookEndpoint
from core.webhooks.services import create_webhook
from patients.models import Patient, PatientAccount
from tests.admin.conftest import Furnished
from tests.conftest import PASSWORD
from tests.factories.cases import MAKERS
from tests.factories.world import World

NEW = {"given_name": "Ilse", "family_name": "Wintergreen", "date_of_birth": "1990-01-31", "sex": "female", "blood_type": "unknown",
       "preferred_time_of_day": "any"}  # fmt: skip
CHANGELIST, ADD = reverse("admin:appointments_appointment_changelist"), reverse("admin:patients_patient_add")
MEMBERS = reverse("admin:core_membership_changelist")
COLLEAGUE = {"full_name": "Sam Marlow", "password": "Quiet-Harbour-Lamp-7", "roles": ["NURSE"]}


def test_a_patient_is_registered_by_the_service_and_no_log_names_them(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    place = furnished["riverside"].place
    assert open_admin(Role.CLINIC_ADMIN, place).post(ADD, NEW).status_code == 302
    with clinic_scope(place.clinic, reason="test"):
        patient = Patient.objects.get(family_name="Wintergreen")
        assert patient.mrn and patient.tokens.count() > 5
    entry = LogEntry.objects.latest("pk")
    assert entry.object_repr == patient.mrn
    for kept in (entry.object_repr, entry.change_message, entry.get_change_message()):
        assert "Ilse" not in kept and "Wintergreen" not in kept


def test_what_a_rule_refuses_stands_in_the_form(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    client = open_admin(Role.CLINIC_ADMIN, furnished["riverside"].place)
    answer = client.post(ADD, {**NEW, "phone": "12", "date_of_birth": "2999-01-01"})
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == {"phone", "date_of_birth"}
    assert client.post(ADD, NEW).status_code == 302
    twin = client.post(ADD, NEW)
    assert twin.status_code == 200 and twin.context["adminform"].form.non_field_errors()
    assert client.post(ADD, {**NEW, "accept_duplicate": "on"}).status_code == 302


def test_a_record_that_somebody_else_changed_is_not_overwritten(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    patient = furnished["riverside"].patient
    client = open_admin(Role.CLINIC_ADMIN, furnished["riverside"].place)
    page = reverse("admin:patients_patient_change", args=[patient.pk])
    answer = client.post(page, {**NEW, "status": "active", "read_version": patient.version + 7})
    assert answer.status_code == 200 and answer.context["adminform"].form.non_field_errors()


def test_patients_are_found_by_name_and_no_address_carries_it(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    client = open_admin(Role.CLINIC_ADMIN, furnished["riverside"].place)
    for page in (reverse("admin:patients_patient_changelist"), CHANGELIST):
        answer = client.post(page, {"private_search": "quartermaine zsof"})
        text = answer.content.decode()
        assert answer.status_code == 200
        assert furnished["riverside"].patient.mrn in text
        assert "?q=" not in text and "&q=" not in text and "=quartermaine" not in text
        nobody = client.post(page, {"private_search": "featherstone"}).content.decode()
        assert furnished["hillcrest"].patient.mrn not in nobody


def test_visits_are_cancelled_with_a_reason_and_refusals_are_told(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    one = furnished["riverside"]
    client = open_admin(Role.CLINIC_ADMIN, one.place)
    act = {"_selected_action": str(one.visit.pk), "index": "0", "reason": "Flooded street"}
    client.post(CHANGELIST, {**act, "action": "cancel"})
    with clinic_scope(one.place.clinic, reason="test"):
        assert Appointment.objects.get(pk=one.visit.pk).status == Status.CANCELLED
        assert AppointmentChange.objects.filter(appointment=one.visit, reason="Flooded street", to_status=Status.CANCELLED).exists()
    again = client.post(CHANGELIST, {**act, "action": "complete"}, follow=True)
    assert "not possible" in again.content.decode()


def test_only_who_may_sees_an_action(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    text = open_admin(Role.SUPER_ADMIN, furnished["riverside"].place).get(CHANGELIST).content.decode()
    assert 'value="cancel"' in text and 'value="check_in"' not in text


def test_accounts_are_opened_and_closed(open_admin: Any, furnished: dict[str, Furnished]) -> None:
    client, users = open_admin(Role.SUPER_ADMIN, None), reverse("admin:core_user_changelist")
    given = {"email": "new@hms.test", "full_name": "New Person", "platform_role": "SUPPORT"}
    weak = client.post(reverse("admin:core_user_add"), {**given, "password": "password"})
    assert weak.status_code == 200 and "password" in weak.context["adminform"].form.errors
    assert client.post(reverse("admin:core_user_add"), {**given, "password": "Quiet-Harbour-Lamp-7"}).status_code == 302
    user = User.objects.get(email="new@hms.test")
    assert user.check_password("Quiet-Harbour-Lamp-7")
    client.post(users, {"action": "deactivate", "_selected_action": str(user.pk), "index": "0"})
    user.refresh_from_db()
    assert not user.is_active


def test_what_outlives_a_session_asks_for_the_password_first(open_admin: Any, world: World) -> None:
    """A stolen session sets up no data sync, no webhook, no administrator and no account; nor does it send everything again."""
    place = world.riverside
    guarded = [model for model, one in admin.site._registry.items() if getattr(one, "asks_for_proof", False)]
    with clinic_scope(place.clinic, reason="test"):
        sync, _ = set_up_data_sync(actor=system_actor(), data={"url": "https://lab.example.org/a", "is_active": True})
        hook, _ = create_webhook(
            actor=system_actor(), data={"name": "Lab", "url": "https://lab.example.org/a", "events": ["patient.changed"]}
        )
        rules, account = ClinicSettings.objects.get_or_create(clinic=place.clinic)[0], MAKERS[PatientAccount](place)
    rows = {
        DataSync: (sync, ["add", "change"]),
        WebhookEndpoint: (hook, ["add", "change"]),
        User: (place.users[Role.NURSE], ["add", "change"]),
        Membership: (place.memberships[Role.NURSE], ["add", "change"]),
        Clinic: (place.clinic, ["add", "change"]),
        ClinicSettings: (rules, ["change"]),
        PatientAccount: (account, ["add", "delete"]),
        ExternalSystem: (MAKERS[ExternalSystem](place), ["add", "change"]),
        SignInThrottle: (MAKERS[SignInThrottle](place), []),
        AddressBlock: (MAKERS[AddressBlock](place), ["add"]),
    }
    assert set(guarded) == set(rows)
    for model, (row, forms) in rows.items():
        client, name = open_admin(Role.SUPER_ADMIN, place), model._meta.label_lower.replace(".", "_")
        page, change = reverse(f"admin:{name}_changelist"), reverse(f"admin:{name}_change", args=[row.pk])
        pages = [reverse(f"admin:{name}_{form}", args=[] if form == "add" else [row.pk]) for form in forms]
        assert [client.get(one).status_code for one in (change, *pages)] == [200] * (1 + len(pages))
        _age(client)
        assert client.get(page).status_code == 200
        action = {"action": "send_everything", "_selected_action": str(row.pk), "index": "0"}
        for where in (page, *pages):
            for answer in (client.post(where, action), *([client.get(where)] if where != page else [])):
                assert (answer.status_code, answer["Location"]) == (303, f"/account/confirm/?next={where}")
        confirmed = client.post("/account/confirm/", {"password": PASSWORD, "next": change})
        assert [client.get(one).status_code for one in (confirmed["Location"], *pages)] == [200] * (1 + len(pages))


def test_a_system_administrator_lifts_every_lockout_but_a_super_administrator_s(open_admin: Any, world: World) -> None:
    """The list of lockouts names nobody, and is no way around that."""
    page = reverse("admin:core_signinthrottle_changelist")
    keys = [throttle.key_of_account(one.email) for one in (world.platform[Role.SUPER_ADMIN], world.riverside.users[Role.NURSE])]
    for key in keys:
        SignInThrottle.objects.create(key=key, failures=9, locked_until=timezone.now() + throttle.LONGEST_PAUSE)

    def waiting_after(role: Role) -> list[bool]:
        action = {"action": "lift", "_selected_action": keys, "index": "0"}
        assert open_admin(role, None).post(page, action).status_code == 302
        return [SignInThrottle.objects.get(key=key).is_locked for key in keys]

    assert waiting_after(Role.SYSTEM_ADMIN) == [True, False]
    assert waiting_after(Role.SUPER_ADMIN) == [False, False]


def test_who_may_only_read_is_not_asked(open_admin: Any, world: World) -> None:
    client = open_admin(Role.SUPPORT, world.riverside)
    _age(client)
    assert client.get(f"{MEMBERS}{world.riverside.memberships[Role.NURSE].pk}/change/").status_code == 200


def _age(client: Client) -> None:
    """The password was given too long ago."""
    session = client.session
    session[proofs.PROVED] -= proofs.PROVED_SECONDS + 1
    session.save()


def test_a_clinic_makes_no_account_and_nobody_a_member_who_was_not_asked(open_admin: Any, world: World) -> None:
    """Who makes an account for somebody else's address could set up a passkey of their own, and wait for that person's places."""
    place, known = world.riverside, world.hillcrest.users[Role.DOCTOR]
    client = open_admin(Role.CLINIC_ADMIN, place)
    assert f"{MEMBERS}add/" not in client.get(MEMBERS).text
    for email in ("future@hillcrest.test", known.email):
        answer = client.post(f"{MEMBERS}add/", {**COLLEAGUE, "email": email})
        assert answer.status_code == 403 and known.full_name not in answer.text
        with clinic_scope(place.clinic, reason="test"), pytest.raises(NotAllowed):
            add_member(actor=place.actor(Role.CLINIC_ADMIN), **COLLEAGUE, email=email)
    assert not User.objects.filter(email="future@hillcrest.test").exists()
    with clinic_scope(place.clinic, reason="test"):
        assert not Membership.objects.filter(user=known, clinic=place.clinic).exists()


@pytest.mark.parametrize("role", [Role.SUPER_ADMIN, Role.SYSTEM_ADMIN], ids=lambda role: role.value)
def test_operators_put_somebody_into_a_clinic(role: Role, open_admin: Any, world: World) -> None:
    place, known = world.riverside, world.hillcrest.users[Role.DOCTOR]
    client = open_admin(role, place)
    for email in ("first@riverside.test", known.email):
        assert client.post(f"{MEMBERS}add/", {**COLLEAGUE, "email": email}).status_code == 302
        with clinic_scope(place.clinic, reason="test"):
            assert Membership.objects.get(user__email=email, clinic=place.clinic).roles == [Role.NURSE]
