"""Odd but legitimate text: kept byte for byte in every field that takes words, by API and pages, and found again."""

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape

import appointments.forms
import patients.forms
from appointments.choices import ChangeKind
from appointments.models import Appointment, AppointmentChange, Holiday, QueueScreen, QueueSeries, ScheduleException, Service
from core.accounts.models import User
from core.accounts.roles import Role
from core.audit.break_glass import LONGEST_REASON, BreakGlass
from core.forms import TypedField
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from patients.models import Anonymisation, Document, Patient
from patients.services import break_glass, end_access, register_patient, restrict_record
from tests.attack.odd_strings import LINES, MARKUP, NAMES, PROSE, packed
from tests.factories.api_client import ApiClient
from tests.factories.cases import filled
from tests.factories.openapi import BodyField, Operation, fields_of, operations, types_of
from tests.factories.page_forms import PageForm, forms_of
from tests.factories.patients import patient_data
from tests.factories.queue import open_queue
from tests.factories.routes import Route, routes
from tests.factories.visits import at, book
from tests.factories.world import Place, World

pytestmark = pytest.mark.thorough

# Fields with a form of their own: what doesn't have it is refused by name. All others take words.
CODED = {
    "phone", "phone_alt", "email", "address.country", "country", "language", "emergency_contact.phone", "time_zone", "mrn",
    "price.amount", "price.currency", "url", "otp", "currency", "slug", "locale", "mrn_prefix",
    "letter", "number",
}  # fmt: skip
MANY_LINES = {"notes", "note", "reason", "description", "address"}  # prose: line ends and white space stay
JOINT = {True: "\n", False: " ⁂ "}
CHANGES = [one for one in operations() if one.method == "patch" and one.body and one.path.startswith("/api/v2/")]


PARTS = 4  # the other parts are for the slow run: short fields take few strings at a time
in_parts = pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))])


def by_id(value: Any) -> str:
    return str(getattr(value, "id", value))


def words_of(operation: Operation) -> dict[str, list[str]]:
    """The fields of a body that take words, each with everything odd, packed to its length."""
    found = {}
    for field in fields_of(operation.body or {}):
        if takes_words(field):
            found[field.name] = values_for(field.path[-1], field.schema.get("maxLength", 10_000))
    return found


def takes_words(field: BodyField) -> bool:
    schema = field.schema
    plain = "string" in types_of(schema) and not {"format", "enum", "pattern"} & schema.keys()
    return plain and field.name not in CODED


def values_for(name: str, longest: int) -> list[str]:
    prose = name in MANY_LINES
    return packed(PROSE if prose else LINES, longest, JOINT[prose])


def rounds(values: dict[str, list[str]], part: int) -> Iterator[dict[str, str]]:
    """One value for each field, until each field had all of its own: a `part` of them, the parts together all."""
    for number in range(part, max(map(len, values.values())), PARTS):
        yield {name: texts[number % len(texts)] for name, texts in values.items()}


def nested(flat: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, value in flat.items():
        outer, _dot, inner = name.partition(".")
        if inner:
            body.setdefault(outer, {})[inner] = value
        else:
            body[outer] = value
    return body


def value_at(data: dict[str, Any], name: str) -> Any:
    for part in name.split("."):
        data = data[part]
    return data


def test_there_are_enough_of_them() -> None:
    assert len(set(LINES)) >= 500
    for text in PROSE:
        assert text.encode().decode() == text


@in_parts
@pytest.mark.parametrize("operation", [one for one in CHANGES if words_of(one)], ids=by_id)
def test_the_api_keeps_them_byte_for_byte(operation: Operation, part: int, world: World) -> None:
    place = world.riverside
    api = ApiClient(place.users[Role.CLINIC_ADMIN])
    address = filled(Route(operation.path, "", "api", "PATCH", None, None, None), place)
    for sent in rounds(words_of(operation), part):
        answer = api.patch(address, nested(sent))
        assert answer.status_code == 200, (sent, answer.content)
        kept = api.get(address).json()["data"]
        for name, text in sent.items():
            assert value_at(kept, name) == value_at(answer.json()["data"], name) == text, name


@pytest.mark.parametrize("operation", CHANGES, ids=by_id)
def test_fields_with_a_form_of_their_own_refuse_them_by_name(operation: Operation, world: World) -> None:
    coded = [field.name for field in fields_of(operation.body or {}) if field.name in CODED and "string" in types_of(field.schema)]
    if not coded:
        pytest.skip("takes words only")
    api = ApiClient(world.riverside.users[Role.CLINIC_ADMIN])
    address = filled(Route(operation.path, "", "api", "PATCH", None, None, None), world.riverside)
    for text in [one for one in LINES if not any(character.isalnum() for character in one)][::8] + LINES[::20]:
        answer = api.patch(address, nested(dict.fromkeys(coded, text)))
        refused = {detail["field"] for detail in answer.json()["error"]["details"]} if answer.status_code == 400 else set()
        assert refused or answer.status_code == 200, answer.content
        assert {"email", "phone"} & set(coded) <= refused | ({"phone"} if sum(c.isdigit() for c in text) > 5 else set()), text


def test_what_is_said_with_a_step_stands_in_the_history(world: World) -> None:
    """Every operation that takes a reason writes it there: here by checking in and taking it back, and by cancelling."""
    place = world.riverside
    api = ApiClient(place.users[Role.CLINIC_ADMIN])
    with clinic_scope(place.clinic, reason="test"):
        visit = book(place, at(place, 21, 10), patient_id=place.patients[0].pk).pk
    said = values_for("reason", 300)
    for text in said:
        assert api.post(f"appointments/{visit}/check-in", {"reason": text}).status_code == 200
        assert api.post(f"appointments/{visit}/undo").status_code == 200
    history = [
        line["reason"] for line in api.get(f"appointments/{visit}/history").json()["data"] if line["to_status"] == "checked_in"
    ]
    assert history == said
    assert api.post(f"appointments/{visit}/cancel", {"reason": said[0]}).status_code == 200
    assert api.get(f"appointments/{visit}/history").json()["data"][-1]["reason"] == said[0]


# --- Pages ----------------------------------------------------------------------------------------------------------------
Door = Callable[[Place, Client, dict[str, str]], dict[str, Any]]


NO_WORDS = (forms.ChoiceField, forms.MultipleChoiceField, forms.UUIDField, appointments.forms.SlotField)


def text_fields(form: type[forms.BaseForm]) -> list[str]:
    """A form's lines and boxes for words."""
    kinds = (forms.TextInput, forms.Textarea)
    own: dict[str, forms.Field] = form.base_fields  # type: ignore[attr-defined]
    return [
        name
        for name, field in own.items()
        if isinstance(field, forms.CharField | TypedField)
        and not isinstance(field, NO_WORDS)
        and isinstance(field.widget, kinds)
        and getattr(field.widget, "input_type", "text") == "text"
        and name not in CODED
    ]


_read: dict[tuple[Client, str], PageForm] = {}  # as this client last read the page


def sent(client: Client, address: str, texts: dict[str, str], action: str = "") -> None:
    """Fill in a page's form as a browser would, and press the button."""
    known = _read.get((client, address))
    if known is None or "read" in known.values:  # what was read before another change is not saved over it
        page = client.get(address).content.decode()
        (_read[client, address],) = [one for one in forms_of(page, address) if one.action == (action or address)]
    form = _read[client, address]
    answer = client.post(form.action, {**form.values, "idempotency_key": "", **texts})
    problems = answer.context["form"].errors.as_json() if answer.context and "form" in answer.context else answer.content[:400]
    assert answer.status_code in (200, 204, 302, 303), problems


def by_edit_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    patient = place.patients[1]
    sent(client, f"/patients/{patient.pk}/edit/", texts)
    return Patient.objects.values().get(pk=patient.pk)


def by_service_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    service = place.services[0]
    sent(client, f"/settings/services/{service.pk}/", texts)
    return Service.objects.values().get(pk=service.pk)


def by_exception_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    schedule = f"/settings/schedules/{place.providers[0].pk}/"
    days = {"kind": "off", "first_day": "2033-01-01", "last_day": "2033-01-02"}
    sent(client, schedule, {**days, **texts}, f"{schedule}exceptions/")
    return ScheduleException.objects.order_by("-created_at").values()[0]


def by_holiday_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    Holiday.objects.all().delete()
    sent(client, "/settings/holidays/", {"day": "2033-01-01", **texts}, "/settings/holidays/add/")
    return Holiday.objects.values().get()


def by_series_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    open_queue(place)
    series = QueueSeries.objects.get()
    sent(client, f"/settings/queue/groups/{series.pk}/", texts)
    return QueueSeries.objects.values().get(pk=series.pk)


def by_screen_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    sent(client, "/settings/queue/screens/make/", texts | {"kind": "board", "location": str(place.locations[0].pk)})
    return QueueScreen.objects.order_by("-created_at", "-id").values()[0]


def by_step(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    visit = the_visit(place)
    assert client.post(f"/appointments/{visit}/check-in/", texts).status_code in (200, 204, 302, 303)
    row = AppointmentChange.objects.filter(appointment=visit).order_by("-at", "-id").values()[0]
    assert client.post(f"/appointments/{visit}/undo/").status_code in (200, 204, 302, 303)
    return row


def by_cancelling(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    visit = book(place, at(place, 35, 10), patient_id=place.patients[3].pk)
    answer = client.post(f"/appointments/{visit.pk}/cancel/", texts)
    assert answer.status_code in (200, 204, 302, 303), answer.content
    return AppointmentChange.objects.filter(appointment=visit).order_by("-at", "-id").values()[0]


def by_moving(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    visit = the_visit(place)
    moves = AppointmentChange.objects.filter(appointment=visit, kind=ChangeKind.MOVED)
    start = at(place, 28, 9 + moves.count() % 5).isoformat()
    answer = client.post(f"/appointments/{visit}/reschedule/", {"slot": f"{start}~{place.providers[0].pk}", **texts})
    assert answer.status_code in (200, 204, 302, 303), answer.content
    return moves.order_by("-at", "-id").values()[0]


def by_booking(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    slot = f"{at(place, 42, 9 + Appointment.objects.count() % 8).isoformat()}~{place.providers[1].pk}"
    patient, service = place.patients[4].pk, place.services[1].pk
    answer = client.post("/appointments/book/", {"patient": patient, "service": service, "slot": slot, **texts})
    assert answer.status_code in (200, 204, 302, 303), answer.content
    return Appointment.objects.order_by("-created_at").values()[0]


def by_document_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    file = SimpleUploadedFile("note.txt", b"Seen today.")
    answer = client.post(f"/patients/{place.patients[0].pk}/documents/add/", {"file": file, "category": "letter", **texts})
    assert answer.status_code in (200, 204, 302, 303), answer.context["form"].errors.as_json()
    return Document.objects.order_by("-created_at", "-id").values()[0]


def by_document_error_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    document = by_document_page(place, client, {"title": "Wrong"})
    answer = client.post(
        f"/patients/{place.patients[0].pk}/documents/{document['id']}/error/", {**texts, "version": document["version"]}
    )
    assert answer.status_code in (200, 204, 302, 303), answer.context["form"].errors.as_json()
    return {"reason": Document.objects.get(pk=document["id"]).status_reason}


def by_anonymising_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    """Each time somebody else, whose name none of the reasons holds."""
    nobody = patient_data(given_name="Quetzalwin", family_name="Brambleforth")
    patient = register_patient(actor=place.actor(Role.CLINIC_ADMIN), data=nobody)
    sent(client, f"/patients/{patient.pk}/anonymise/", {"kind": "request", "mrn": patient.mrn, **texts})
    return Anonymisation.objects.values().get(patient=patient)


def by_restriction_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    """Restricted, opened to everybody again, and so on."""
    patient = place.patients[5]
    sent(client, f"/patients/{patient.pk}/restriction/", texts)
    return {"reason": Patient.objects.get(pk=patient.pk).restriction_reason}


def by_emergency_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    record = f"/patients/{the_restricted(place)}/"
    sent(client, f"{record}break-glass/", {"category": "emergency", **texts})
    access = BreakGlass.objects.values().get(ended_at=None)
    assert client.post(f"{record}break-glass/end/").status_code in (200, 204, 302, 303)
    return access


def by_verdict_page(place: Place, client: Client, texts: dict[str, str]) -> dict[str, Any]:
    nurse, patient = place.actor(Role.NURSE), the_restricted(place)
    access = break_glass(actor=nurse, patient_id=patient, category="emergency", reason="Collapsed in the waiting room.")
    end_access(actor=nurse, patient_id=patient)
    page = f"/oversight/emergency-access/{access.pk}/"
    sent(client, page, {"verdict": "not-justified", **texts}, f"{page}verdict/")
    return {"note": BreakGlass.objects.get(pk=access.pk).review_note}


def the_restricted(place: Place) -> UUID:
    patient = Patient.objects.get(pk=place.patients[5].pk)
    if not patient.is_restricted:
        restrict_record(actor=place.actor(Role.CLINIC_ADMIN), patient_id=patient.pk, restricted=True, reason="Works here")
    return patient.pk


def the_visit(place: Place) -> UUID:
    found = Appointment.objects.filter(patient=place.patients[2]).first()
    return found.pk if found else book(place, at(place, 28, 14), patient_id=place.patients[2].pk).pk


DOORS: dict[type[forms.BaseForm], Door] = {
    patients.forms.EditPatientForm: by_edit_page,
    appointments.forms.EditServiceForm: by_service_page,
    appointments.forms.ExceptionForm: by_exception_page,
    appointments.forms.HolidayForm: by_holiday_page,
    appointments.forms.EditSeriesForm: by_series_page,
    appointments.forms.ScreenForm: by_screen_page,
    appointments.forms.StepForm: by_step,
    appointments.forms.ReasonForm: by_cancelling,
    appointments.forms.MoveForm: by_moving,
    appointments.forms.BookingForm: by_booking,
    patients.forms.DocumentForm: by_document_page,
    patients.forms.DocumentErrorForm: by_document_error_page,
    patients.forms.AnonymiseForm: by_anonymising_page,
    patients.forms.RestrictionForm: by_restriction_page,
    patients.forms.BreakGlassForm: by_emergency_page,
    patients.forms.VerdictForm: by_verdict_page,
}
NEEDS_A_REASON = (
    appointments.forms.ReasonForm,
    patients.forms.DocumentErrorForm,
    patients.forms.AnonymiseForm,
    patients.forms.RestrictionForm,
    patients.forms.BreakGlassForm,
    patients.forms.VerdictForm,
)
LENGTHS: dict[type[forms.BaseForm], int] = {  # of what is no column of a patient
    patients.forms.BreakGlassForm: LONGEST_REASON,
    patients.forms.VerdictForm: LONGEST_REASON,
}
SAME_FIELDS_AS_ANOTHER = {
    patients.forms.PatientForm: patients.forms.EditPatientForm,
    appointments.forms.ServiceForm: appointments.forms.EditServiceForm,
    appointments.forms.SeriesForm: appointments.forms.EditSeriesForm,
}


def test_each_form_with_words_has_a_door_here() -> None:
    ours = [
        one
        for module in (patients.forms, appointments.forms)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, forms.BaseForm) and one.__module__ == module.__name__ and text_fields(one)
    ]
    assert {one.__name__ for one in ours} == {one.__name__ for one in (*DOORS, *SAME_FIELDS_AS_ANOTHER)}


@in_parts
@pytest.mark.parametrize("form", DOORS, ids=lambda form: form.__name__)
def test_the_pages_keep_them_byte_for_byte(form: type[forms.BaseForm], part: int, world: World) -> None:
    place, client = world.riverside, Client()
    client.force_login(place.users[Role.CLINIC_ADMIN])
    with clinic_scope(place.clinic, reason="test"):
        longest = {name: _longest(form, name) for name in text_fields(form)}
        values = {name: values_for(name if "address" not in name else "", most) for name, most in longest.items()}
        for texts in rounds(values, part):
            if form in NEEDS_A_REASON and not any(text.strip() for text in texts.values()):
                continue
            stored = DOORS[form](place, client, texts)
            assert {name: stored[name] for name in texts} == texts


def _longest(form: type[forms.BaseForm], name: str) -> int:
    """As many characters as the column holds; a form of ours that only carries what is typed doesn't say."""
    field: forms.Field = form.base_fields[name]  # type: ignore[attr-defined]
    declared = getattr(field, "max_length", None) or field.widget.attrs.get("maxlength")
    if declared:
        return int(declared)
    if form in LENGTHS:
        return LENGTHS[form]
    return getattr(Patient._meta.get_field(name), "max_length", None) or 64


class _Odd(HTMLParser):
    """Elements that were never meant to be any."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("odd-element", "x-odd") or any(name == "data-odd" for name, _value in attrs):
            self.found.append(self.get_starttag_text() or tag)


FIRST, *OTHERS = packed(MARKUP[1:], 180, " ")


@pytest.mark.parametrize("name", [FIRST, *(pytest.param(other, marks=pytest.mark.slow) for other in OTHERS)])
def test_names_of_people_who_work_here_and_of_the_clinic_stay_text_on_every_page(name: str, world: World) -> None:
    """What no body of the API carries: the signed-in person's name and the clinic's stand on every page."""
    place, client = world.riverside, Client()
    person = place.users[Role.CLINIC_ADMIN]
    User.objects.filter(pk=person.pk).update(full_name=name)
    Clinic.objects.filter(pk=place.clinic.pk).update(name=name)
    client.force_login(person)
    shown = 0
    for route in (*routes("page", methods=("GET",)), *routes("admin", methods=("GET",))):
        if route.path.startswith("/drafts/"):
            continue
        answer = client.get(filled(route, place))
        if answer.status_code == 200 and "html" in answer["Content-Type"]:
            text = answer.content.decode()
            odd = _Odd()
            odd.feed(text)
            assert not odd.found, (route.path, odd.found[:3])
            shown += escape(name) in text
    assert shown > 20


# --- Finding ----------------------------------------------------------------------------------------------------------------
@in_parts
def test_people_with_odd_names_are_found_by_them(part: int, world: World) -> None:
    api = ApiClient(world.riverside.users[Role.RECEPTIONIST])
    for name in NAMES[part::PARTS]:
        body = {"given_name": "Zq", "family_name": name, "date_of_birth": "1980-01-01", "sex": "female", "accept_duplicate": True}
        made = api.post("patients", body)
        assert made.status_code == 201, made.content
        words = " ".join(word for word in name.split() if not any(character.isdigit() for character in word))  # digits are numbers
        found = api.post("patients/search", {"search": f"zq {words}", "limit": 100}).json()["data"]
        assert made.json()["data"]["id"] in [one.get("patient", one)["id"] for one in found], name
