"""Every text and number that people write goes through a rule, and every door refuses a bad one under the rule's code."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse

from appointments import validators as scheduling
from appointments.models import Holiday, ScheduleException, Service
from clinics.models import Department, Location, Provider, Room
from core.accounts.models import User
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from core.validators.models import RuledModel
from patients.api.names import API_NAMES
from patients.models import Patient
from tests.core.validators.refusals import code_of
from tests.factories.api_client import ApiClient
from tests.factories.bodies import body_for, patient
from tests.factories.world import World

OURS = ("core", "clinics", "patients", "appointments")
JUDGED = (models.CharField, models.TextField, models.IntegerField, models.DecimalField, models.FloatField)
# What nobody writes: HMS makes it, or another mechanism of its own judges it. A new field needs a rule or a reason.
MADE_BY_HMS = {
    "AddressBlock": {"network", "reason"},  # core.security.admin
    "Clinic": {"rate_user", "rate_upload", "rate_heavy"},  # core.security.limiting.rates
    "ApiKey": {"digest", "last_used_from"},
    "AppointmentChange": {"kind", "actor_name", "from_status", "to_status"},
    "Appointment": {"time_zone", "status", "source"},
    "Claim": {"resource_kind"},
    "Ticket": {
        "letter", "number", "source", "priority", "status", "calls", "expected_minutes", "expected_least", "expected_most",
    },
    "TicketChange": {"action", "actor_name", "from_status", "to_status"},
    "PatientMessage": {"kind", "template", "language", "channel", "state", "cause", "words"},
    "DomainEvent": {"name", "schema", "about"},
    "WebhookDelivery": {"name", "state", "attempts", "status", "cause"},
    "Reminder": {"kind", "late_minutes"},
    "Suppression": {"channel", "digest", "reason"},
    "Anonymisation": {"state"},
    "Document": {"status"},
    "Membership": {"state"},
    "Patient": {"mrn", "family_norm", "given_norm", "status"},
    "PatientToken": {"token"},
    "MrnSequence": {"last_number"},
    "User": {"password"},
}  # fmt: skip
KEPT_BY_MACHINES = {"Change", "Draft", "IdempotencyRecord", "Seal", "SignInThrottle"}


def written_models() -> list[type[models.Model]]:
    """The models that somebody may change by a page, the API or the admin: those the admin can add to or change."""
    ours = [model for label in OURS for model in apps.get_app_config(label).get_models()]
    return [model for model in ours if issubclass(model, RuledModel) or model in admin.site._registry]


def judged_fields(model: type[models.Model]) -> Iterator[str]:
    for field in model._meta.local_concrete_fields:
        if isinstance(field, JUDGED) and field.editable and not field.primary_key and not field.is_relation:
            yield field.name


@pytest.mark.parametrize(
    "model", [one for one in written_models() if one.__name__ not in KEPT_BY_MACHINES], ids=lambda one: one.__name__
)
def test_every_text_and_number_has_a_rule_or_is_made_by_hms(model: type[models.Model], world: World) -> None:
    with clinic_scope(world.riverside.clinic, reason="test"):
        rules = model().field_rules() if issubclass(model, RuledModel) else {}
    without = set(judged_fields(model)) - rules.keys() - MADE_BY_HMS.get(model.__name__, set())
    read_only = model in admin.site._registry and getattr(admin.site._registry[model], "read_only", False)
    assert not without or (read_only and not rules and not issubclass(model, RuledModel)), f"{model.__name__}: {sorted(without)}"


@pytest.mark.parametrize(
    "model", [Patient, Location, Department, Room, Provider, Service, Holiday, ScheduleException, Clinic, User]
)
def test_full_clean_refuses_what_the_rule_refuses(model: type[RuledModel], world: World) -> None:
    with clinic_scope(world.riverside.clinic, reason="test"):
        row = model()
        for name, rule in row.field_rules().items():
            bad = "a\x1bb" if isinstance(model._meta.get_field(name), models.CharField | models.TextField) else "neither-nor"
            setattr(row, name, bad)
            with pytest.raises(Exception) as refused:
                row.full_clean(exclude={field.name for field in model._meta.fields} - {name}, validate_unique=False)
            assert refused.value.error_dict[name][0].code == code_of(rule, bad)  # type: ignore[attr-defined]


BAD = {
    "control": "a\x1bb",
    "NUL": "a\x00b",
    "endless": "x" * 20_000,
    "new line": "a\nb",
    "neither-nor": "neither-nor",
    "nothing": "",
    "arabic digits": "١٢٣",
}


def form_codes(answer: Any) -> dict[str, str]:
    """Field -> code of the form that came back, of a page or of the admin; empty when it was accepted."""
    assert answer.status_code in (200, 302, 422), answer.content
    if answer.status_code == 302:
        return {}
    form = answer.context["adminform"].form if "adminform" in answer.context else answer.context["form"]
    return {name: problems[0].code for name, problems in form.errors.as_data().items()}


def nested(body: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """The body with one value, which may stand in an object of its own."""
    outer, _dot, inner = name.partition(".")
    return {**body, outer: {**body.get(outer, {}), inner: value}} if inner else {**body, outer: value}


def test_patients_are_judged_alike_by_api_page_and_admin(world: World) -> None:
    place, client = world.riverside, Client()
    client.force_login(place.users[Role.CLINIC_ADMIN])
    with clinic_scope(place.clinic, reason="test"):
        rules = Patient().field_rules()
    texts = [name for name in judged_fields(Patient) if name in rules and not Patient._meta.get_field(name).choices]
    assert len(texts) > 20
    register, add = reverse("patients:register"), reverse("admin:patients_patient_add")
    seen = set()
    for kind, bad in BAD.items():
        expected = {name: code_of(rules[name], bad) for name in texts}
        body: dict[str, Any] = {"sex": "female", "date_of_birth": "1961-02-03"}
        for name in texts:
            body = nested(body, API_NAMES.get(name, name), bad)
        answer = ApiClient(place.users[Role.CLINIC_ADMIN]).post("patients", {**body, "accept_duplicate": True, "status": "merged"})
        by_api = {one["field"]: one["code"] for one in answer.json()["error"]["details"]}
        sent = {**dict.fromkeys(texts, bad), "sex": "no such sex", "date_of_birth": "1961-02-03"}
        by_forms = [form_codes(client.post(door, sent)) for door in (register, add)]
        for name, code in expected.items():
            told = {by_api.get(API_NAMES.get(name, name), "accepted")}
            told |= {codes.get(name, "accepted") for codes in by_forms}
            if len(bad) > (Patient._meta.get_field(name).max_length or 64) and code != "accepted":
                told -= {"max_length"}  # wrong in two ways: each door says one of them
                code = code if code in told else "max_length"
            assert told <= {code}, f"{name}, {kind}: {told} instead of {code}"
            seen.add(code)
    assert seen >= {
        "control_characters_not_allowed",
        "null_characters_not_allowed",
        "max_length",
        "invalid",
        "required",
        "accepted",
    }


THINGS: dict[str, tuple[type[RuledModel], str]] = {
    "locations": (Location, "admin:clinics_location_add"),
    "departments": (Department, "admin:clinics_department_add"),
    "rooms": (Room, "admin:clinics_room_add"),
    "providers": (Provider, "admin:clinics_provider_add"),
    "services": (Service, "admin:appointments_service_add"),
    "schedule-exceptions": (ScheduleException, "admin:appointments_scheduleexception_add"),
    "holidays": (Holiday, "admin:appointments_holiday_add"),
}


@pytest.mark.parametrize("path", THINGS)
def test_what_a_clinic_consists_of_is_judged_alike_by_api_and_admin(path: str, world: World) -> None:
    place, (model, add) = world.riverside, THINGS[path]
    client = Client()
    client.force_login(place.users[Role.CLINIC_ADMIN])
    with clinic_scope(place.clinic, reason="test"):
        rules = model().field_rules()
    texts = [
        name
        for name in rules
        if isinstance(model._meta.get_field(name), models.CharField | models.TextField) and not model._meta.get_field(name).choices
    ]
    assert texts
    for kind, bad in BAD.items():
        body = {**body_for("post", f"/api/v2/{path}", place), **dict.fromkeys(texts, bad), "is_active": "perhaps", "kind": "none"}
        answer = ApiClient(place.users[Role.CLINIC_ADMIN]).post(path, body)
        by_api = {one["field"]: one["code"] for one in answer.json()["error"]["details"]}
        by_form = form_codes(client.post(reverse(add), {**body, "kind": "none", "location": "none", "tone": "none"}))
        for name in texts:
            expected = code_of(rules[name], bad)
            told = {by_api.get(name, "accepted"), by_form.get(name, "accepted")}
            assert told == {expected}, f"{path} {name}, {kind}: {told} instead of {expected}"


@pytest.mark.parametrize("country", ["GB", "US"])
def test_a_national_number_is_read_with_the_clinics_country_at_every_door(country: str, world: World) -> None:
    place = {"GB": world.riverside, "US": world.hillcrest}[country]
    typed, kept = {"GB": ("020 7946 0018", "+442079460018"), "US": ("(212) 555-0187", "+12125550187")}[country]
    api = ApiClient(place.users[Role.CLINIC_ADMIN])
    body = {**patient(place), "phone": typed, "phone_alt": typed, "emergency_contact": {"name": "Otto", "phone": typed}}
    made = api.post("patients", {**body, "accept_duplicate": True}).json()["data"]
    assert (made["phone"], made["phone_alt"], made["emergency_contact"]["phone"]) == (kept, kept, kept)
    assert api.post("locations", {"name": "Quay", "phone": typed}).json()["data"]["phone"] == kept
    client = Client()
    client.force_login(place.users[Role.CLINIC_ADMIN])
    assert (
        client.post(reverse("admin:clinics_location_add"), {"name": "Pier", "phone": typed, "is_active": "on"}).status_code == 302
    )
    with clinic_scope(place.clinic, reason="test"):
        assert Location.objects.get(name="Pier").phone == kept
        row = Location(name="Mole", phone=typed)
        row.full_clean()
        assert row.phone == kept


def test_the_table_of_a_visits_texts_is_the_models() -> None:
    assert code_of(scheduling.visit_rules()["notes"], "x" * 2001) == "max_length"
    assert scheduling.clean_weekday(6) == 6
    assert code_of(scheduling.clean_weekday, True) == code_of(scheduling.clean_weekday, "6") == "invalid_choice"
