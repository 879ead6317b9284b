"""What browsers send about visits and hours, turned into what services take."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from appointments.choices import ExceptionKind, Priority, ScreenKind, Tone, Weekday
from appointments.models import Service
from appointments.selectors.queue_callers import Caller
from appointments.selectors.queue_places import SeriesBrief
from appointments.validators import NOTES_LENGTH, REASON_LENGTH
from clinics.choices import RoomKind
from clinics.models import Location, Provider, Room
from core.editing import ReadingForm

SLOT_SEPARATOR = "~"  # <start, ISO 8601 with offset>~<provider's id>
YEARS = range(1970, 2200)
Choices = list[tuple[str, Any]]


def slot_value(start: datetime, provider_id: UUID) -> str:
    """A free time as a radio button sends it."""
    return f"{start.isoformat()}{SLOT_SEPARATOR}{provider_id}"


def active_providers() -> Choices:
    """One query."""
    return [(str(p.pk), p.name) for p in Provider.objects.filter(is_active=True).order_by("name")]


def every_service() -> Choices:
    """One query."""
    return [(str(one.pk), one.name) for one in Service.objects.order_by("name").only("name")]


def active_locations() -> Choices:
    """One query."""
    return [(str(one.pk), one.name) for one in Location.objects.filter(is_active=True).order_by("name")]


def active_rooms() -> Choices:
    """Rooms named with their location, for a select. One query."""
    rooms = Room.objects.filter(is_active=True).select_related("location").order_by("location__name", "name")
    return [(str(room.pk), f"{room.location.name}, {room.name}") for room in rooms]


class SlotField(forms.CharField):
    """A free time: becomes `(start, provider_id)`."""

    default_error_messages = {"invalid": _("Choose one of the times.")}

    def clean(self, value: Any) -> tuple[datetime, UUID] | None:
        text = super().clean(value)
        if not text:
            return None
        start_text, _separator, provider_text = text.partition(SLOT_SEPARATOR)
        try:
            start, provider_id = parse_datetime(start_text), UUID(provider_text)
        except ValueError:
            start = None
        if start is None or start.tzinfo is None or start.year not in YEARS:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return start, provider_id


class BookingForm(forms.Form):
    """The last step of the booking panel: everything is chosen."""

    patient = forms.UUIDField(
        label=_("Patient"), error_messages={"required": _("Choose the patient."), "invalid": _("Choose the patient.")}
    )
    service = forms.UUIDField(
        label=_("Service"), error_messages={"required": _("Choose the service."), "invalid": _("Choose the service.")}
    )
    slot = SlotField(label=_("Time"), max_length=100, error_messages={"required": _("Choose one of the times.")})
    location = forms.UUIDField(label=_("Location"), required=False)
    notes = forms.CharField(label=_("Notes"), required=False, max_length=NOTES_LENGTH, strip=False)
    is_urgent = forms.BooleanField(label=_("Urgent"), required=False)
    walk_in = forms.BooleanField(required=False)


class MoveForm(forms.Form):
    """Another time for a visit."""

    slot = SlotField(label=_("Time"), max_length=100, error_messages={"required": _("Choose one of the times.")})
    location = forms.UUIDField(label=_("Location"), required=False)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=REASON_LENGTH, strip=False)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)


class ReasonForm(forms.Form):
    """Why a visit is cancelled."""

    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_LENGTH, strip=False, error_messages={"required": _("Say why, in a few words.")},
        help_text=_("It stands in the visit’s history."), widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def clean_reason(self) -> str:
        """White space says nothing; around words it stays."""
        reason: str = self.cleaned_data["reason"]
        if not reason.strip():
            raise forms.ValidationError(self.fields["reason"].error_messages["required"], code="required")
        return reason


class StepForm(forms.Form):
    """One step of the workflow: what the page knew when the button was pressed."""

    version = forms.IntegerField(required=False)
    reason = forms.CharField(required=False, max_length=REASON_LENGTH, strip=False)


class ServiceForm(forms.Form):
    """A service, and who offers it."""

    name = forms.CharField(label=_("Name"), max_length=120)
    description = forms.CharField(label=_("Description"), max_length=300, required=False, strip=False)
    duration_minutes = forms.IntegerField(label=_("Minutes"), min_value=5, max_value=720, initial=20)
    buffer_before_minutes = forms.IntegerField(label=_("Free before (minutes)"), min_value=0, max_value=240, initial=0)
    buffer_after_minutes = forms.IntegerField(label=_("Free after (minutes)"), min_value=0, max_value=240, initial=0)
    price_amount = forms.DecimalField(label=_("Price"), min_value=0, max_digits=10, decimal_places=2, initial="0.00")
    tone = forms.ChoiceField(label=_("Colour"), choices=Tone.choices, initial=Tone.ACCENT)
    room_kind = forms.ChoiceField(label=_("Needs a room"), required=False)
    reminder_hours = forms.IntegerField(
        label=_("First reminder (hours before)"), min_value=0, max_value=336, initial=48, help_text=_("0: none.")
    )
    second_reminder_hours = forms.IntegerField(
        label=_("Second reminder (hours before)"), min_value=0, max_value=336, initial=2, help_text=_("0: none.")
    )
    is_active = forms.BooleanField(label=_("Can be booked"), required=False, initial=True)
    providers = forms.MultipleChoiceField(label=_("Offered by"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["room_kind"].choices = [("", _("No room")), *RoomKind.choices]  # type: ignore[attr-defined]
        self.fields["providers"].choices = active_providers()  # type: ignore[attr-defined]

    def clean_providers(self) -> list[UUID]:
        return [UUID(one) for one in self.cleaned_data["providers"]]


class EditServiceForm(ReadingForm, ServiceForm):
    """The same for a service that exists."""


class BlockForm(forms.Form):
    """One block of weekly hours. An empty row is left out."""

    weekday = forms.TypedChoiceField(label=_("Day"), choices=Weekday.choices, coerce=int)
    start_time = forms.TimeField(label=_("From"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    end_time = forms.TimeField(label=_("Until"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    location = forms.ChoiceField(label=_("Location"))
    room = forms.ChoiceField(label=_("Room"), required=False)
    slot_minutes = forms.IntegerField(
        label=_("A start every (minutes)"), initial=10, validators=[MinValueValidator(5), MaxValueValidator(240)],
        widget=forms.NumberInput(attrs={"min": 5, "max": 240, "step": 5}),
    )  # fmt: skip
    valid_from = forms.DateField(required=False, widget=forms.HiddenInput)
    valid_until = forms.DateField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, locations: Choices, rooms: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location"].choices = locations  # type: ignore[attr-defined]
        self.fields["room"].choices = [("", _("Any")), *rooms]  # type: ignore[attr-defined]

    def counts(self) -> bool:
        """A new row counts once a time was typed into it; its day and place are there from the start."""
        return not self.empty_permitted or self.has_changed()

    def has_changed(self) -> bool:
        if not self.empty_permitted:
            return super().has_changed()
        return any(self.data.get(self.add_prefix(name)) for name in ("start_time", "end_time"))

    def as_block(self) -> dict[str, Any]:
        """Model-field names to values, as the schedule service takes a block."""
        values = {name: self.cleaned_data[name] for name in self.fields if name not in ("location", "room", "DELETE")}
        room = self.cleaned_data["room"]
        return {**values, "location": UUID(self.cleaned_data["location"]), "room": UUID(room) if room else None}


BlockFormSet = forms.formset_factory(BlockForm, extra=2, can_delete=True, max_num=60, validate_max=True, absolute_max=80)


class ExceptionForm(forms.Form):
    """Days on which a provider's week does not hold: away, or extra hours."""

    kind = forms.ChoiceField(label=_("Kind"), choices=ExceptionKind.choices)
    first_day = forms.DateField(label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Empty: the same day."),
    )
    start_time = forms.TimeField(label=_("From"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    end_time = forms.TimeField(label=_("Until"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    location = forms.ChoiceField(label=_("Location"), required=False, help_text=_("For extra hours: where."))
    reason = forms.CharField(label=_("Reason"), required=False, max_length=200, strip=False)

    def __init__(self, *args: Any, locations: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location"].choices = [("", "—"), *locations]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("first_day") and not data.get("last_day") and "last_day" not in self.errors:
            data["last_day"] = data["first_day"]
        return data

    def as_exception(self) -> dict[str, Any]:
        """Model-field names to values."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "location"}
        location = self.cleaned_data["location"]
        return {**values, "location": UUID(location) if location else None}


class HolidayForm(forms.Form):
    """A day on which the clinic, or one location, is closed."""

    day = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    name = forms.CharField(label=_("Name"), max_length=120)
    location = forms.ChoiceField(label=_("Location"), required=False)

    def __init__(self, *args: Any, locations: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location"].choices = [("", _("Every location")), *locations]  # type: ignore[attr-defined]

    def clean_location(self) -> UUID | None:
        return UUID(self.cleaned_data["location"]) if self.cleaned_data["location"] else None


# --- The queue --------------------------------------------------------------------------------------------------------------
class TakeTicketForm(forms.Form):
    """A walk-in's ticket. Who it is may stay unsaid."""

    series = forms.ChoiceField(label=_("For"), widget=forms.RadioSelect)
    priority = forms.TypedChoiceField(
        label=_("Priority"), required=False, coerce=lambda value: Priority(int(value)), empty_value=None, widget=forms.RadioSelect,
        choices=[("", _("Ordinary")), *((one.value, one.label) for one in (Priority.ELDERLY, Priority.EMERGENCY))],
    )  # fmt: skip

    def __init__(self, *args: Any, groups: Collection[SeriesBrief], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["series"].choices = [(str(one.id), f"{one.letter}  {one.name}") for one in groups]  # type: ignore[attr-defined]
        self.fields["series"].initial = str(next(iter(groups)).id) if groups else None

    def as_ticket(self) -> dict[str, Any]:
        return {"series_id": UUID(self.cleaned_data["series"]), "priority": self.cleaned_data["priority"]}


class TransferForm(forms.Form):
    """Where somebody is sent on to: a group, and a provider or a room if it is not whoever calls next."""

    series = forms.ChoiceField(label=_("Group"), required=False)
    caller = forms.ChoiceField(label=_("Provider or room"), required=False)

    def __init__(self, *args: Any, groups: Collection[SeriesBrief], callers: Collection[Caller], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.callers = {one.value: one for one in callers}
        same = [("", _("The same group")), *((str(one.id), f"{one.letter}  {one.name}") for one in groups)]
        self.fields["series"].choices = same  # type: ignore[attr-defined]
        anybody = [("", _("Whoever calls next")), *((one.value, one.name) for one in callers)]
        self.fields["caller"].choices = anybody  # type: ignore[attr-defined]

    def as_places(self) -> dict[str, Any]:
        who = self.callers.get(self.cleaned_data["caller"])
        series = self.cleaned_data["series"]
        return {
            "series_id": UUID(series) if series else None,
            "provider_id": who.provider_id if who else None,
            "room_id": who.room_id if who else None,
        }


class PlaceForm(ReadingForm):
    """Whether patients of a location wait by tickets, and how its boards sound."""

    is_active = forms.BooleanField(label=_("Patients wait by tickets"), required=False)
    has_chime = forms.BooleanField(label=_("Boards chime when somebody is called"), required=False)
    has_voice = forms.BooleanField(label=_("Boards say the token and the room"), required=False)


class SeriesForm(forms.Form):
    """A ticket group."""

    letter = forms.CharField(label=_("Letter"), max_length=1)
    name = forms.CharField(label=_("Name"), max_length=60, help_text=_("As patients read it at the kiosk."))
    services = forms.MultipleChoiceField(
        label=_("Services"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("A service is of one group; one of none gets tickets of the first."),
    )  # fmt: skip
    takes_walk_ins = forms.BooleanField(label=_("Offered at the kiosk"), required=False, initial=True)
    is_active = forms.BooleanField(label=_("In use"), required=False, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["services"].choices = every_service()  # type: ignore[attr-defined]

    def as_series(self) -> dict[str, Any]:
        values = {name: self.cleaned_data[name] for name in ("letter", "name", "takes_walk_ins", "is_active")}
        return {**values, "service_ids": [UUID(one) for one in self.cleaned_data["services"]]}


class EditSeriesForm(ReadingForm, SeriesForm):
    """The same for a group that exists."""


class ScreenForm(forms.Form):
    """An address for a board or a kiosk."""

    kind = forms.ChoiceField(label=_("Kind"), choices=ScreenKind.choices)
    location = forms.ChoiceField(label=_("Location"))
    name = forms.CharField(label=_("Where it stands"), max_length=60)

    def __init__(self, *args: Any, locations: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["location"].choices = locations  # type: ignore[attr-defined]


class NumberForm(forms.Form):
    """At the kiosk: the number on the card, and the date of birth in three fields."""

    number = forms.CharField(max_length=24)
    day = forms.IntegerField(min_value=1, max_value=31)
    month = forms.IntegerField(min_value=1, max_value=12)
    year = forms.IntegerField(min_value=1880, max_value=2200)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                data["born"] = date(data["year"], data["month"], data["day"])
            except ValueError as error:
                raise forms.ValidationError(_("There is no such day."), code="invalid") from error
        return data
