"""After create_initial_users a clinic can be run: sign in, open the admin, add who works when, book a visit."""

import io
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from appointments.models import Appointment, Schedule, Service, ServiceProvider
from clinics.models import ClinicSettings, Location, Provider
from core.accounts.models import Membership, User
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from tests.factories.world import World

STRONG = "Quiet-Harbour-Lamp-7"


def run(**options: str) -> str:
    out = io.StringIO()
    call_command("create_initial_users", no_input=True, stdout=out, **options)
    return out.getvalue()


def first_clinic(**options: str) -> str:
    return run(
        admin_email="root@first.example",
        clinic="lakeside",
        clinic_name="Lakeside Surgery",
        clinic_admin_email="owner@first.example",
        **options,
    )


def test_passwords_are_generated_and_said_once(world: World) -> None:
    said = run(admin_email="Root@First.example")
    password = said.rsplit("password: ", 1)[1].strip()
    user = User.objects.get(email="root@first.example")
    assert user.platform_role == Role.SUPER_ADMIN
    assert user.check_password(password)
    again = run(admin_email="root@first.example")
    assert password not in again and "stays as it is" in again
    assert User.objects.get(pk=user.pk).check_password(password)


def test_a_weak_password_is_refused_and_nothing_is_made(world: World) -> None:
    with pytest.raises(CommandError, match="password:"):
        run(admin_email="root@first.example", admin_password="password123")
    assert not User.objects.filter(email="root@first.example").exists()


def test_each_wrong_field_of_the_clinic_is_named(world: World) -> None:
    with pytest.raises(CommandError) as refused:
        first_clinic(admin_password=STRONG, clinic_time_zone="Mars/Olympus", clinic_currency="POUNDS")
    assert "time_zone" in str(refused.value) and "currency" in str(refused.value)
    assert not Clinic.objects.filter(slug="lakeside").exists()


def test_without_an_email_it_says_what_is_missing(world: World) -> None:
    with pytest.raises(CommandError, match="HMS_ADMIN_EMAIL"):
        run()


def test_the_environment_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMS_ADMIN_EMAIL", "from-env@first.example")
    monkeypatch.setenv("HMS_ADMIN_PASSWORD", STRONG)
    assert STRONG not in run()
    assert User.objects.get(email="from-env@first.example").check_password(STRONG)


def test_repeating_changes_nothing(world: World) -> None:
    first_clinic(admin_password=STRONG, clinic_admin_password=STRONG)
    first_clinic(admin_password=STRONG + "x", clinic_admin_password=STRONG + "x")
    clinic = Clinic.objects.get(slug="lakeside")
    with clinic_scope(clinic, reason="test"):
        assert (Location.objects.count(), ClinicSettings.objects.count(), Membership.objects.filter(clinic=clinic).count()) == (
            1,
            1,
            1,
        )
    assert User.objects.get(email="owner@first.example").check_password(STRONG)


def signed_in(email: str) -> Client:
    client = Client()
    answer = client.post(reverse("pages:sign-in"), {"email": email, "password": STRONG, "next": reverse("admin:index")})
    assert answer.status_code == 302 and answer["Location"] == reverse("admin:index")
    return client


def add(client: Client, page: str, /, **data: Any) -> None:
    answer = client.post(reverse(f"admin:{page}_add"), data)
    assert answer.status_code == 302, answer.content.decode()


def test_afterwards_a_clinic_can_be_run(world: World, api: Any) -> None:
    first_clinic(admin_password=STRONG, clinic_admin_password=STRONG)
    root, client = signed_in("root@first.example"), signed_in("owner@first.example")
    assert root.get(reverse("admin:index")).status_code == 200
    clinic = Clinic.objects.get(slug="lakeside")
    day = timezone.now().astimezone(clinic.zone).date() + timedelta(days=1)

    add(client, "clinics_location", name="Pier house", address="", phone="", time_zone="", is_active="on")
    add(client, "clinics_provider", name="Dr Ada Marsh", kind="doctor", department="", user="", is_active="on")
    with clinic_scope(clinic, reason="test"):
        location, provider = Location.objects.get(name="Pier house"), Provider.objects.get()
    add(
        client, "appointments_service", name="Consultation", description="", duration_minutes="20", buffer_before_minutes="0",
        buffer_after_minutes="0", price_amount="40.00", tone="accent", room_kind="", reminder_hours="48",
        second_reminder_hours="2", is_active="on", offered_by=[str(provider.pk)],
    )  # fmt: skip
    add(
        client, "appointments_schedule", provider=str(provider.pk), location=str(location.pk), room="", weekday=str(day.weekday()),
        start_time="09:00", end_time="12:00", slot_minutes="10", valid_from="", valid_until="",
    )  # fmt: skip
    add(
        client, "patients_patient", given_name="Rosa", family_name="Lindgren", date_of_birth="1971-05-09", sex="female",
        blood_type="unknown", preferred_time_of_day="any",
    )  # fmt: skip
    root.post(reverse("pages:switch-clinic"), {"clinic": str(clinic.pk)})
    add(root, "core_membership", email="desk@first.example", full_name="Desk", password=STRONG, roles=["RECEPTIONIST"])
    with clinic_scope(clinic, reason="test"):
        service, patient = Service.objects.get(), provider_patient()
        assert ServiceProvider.objects.count() == Schedule.objects.count() == 1

    desk = api(User.objects.get(email="desk@first.example"), clinic)
    start = datetime.combine(day, time(10), clinic.zone)
    answer = desk.post(
        "appointments",
        {"patient": str(patient.pk), "service": str(service.pk), "provider": str(provider.pk), "start": start.isoformat()},
    )
    assert answer.status_code == 201, answer.json()
    with clinic_scope(clinic, reason="test"):
        assert Appointment.objects.get().start == start


def provider_patient() -> Any:
    from patients.models import Patient

    return Patient.objects.get()
