"""What browsers send about people, turned into what services take. The rules are the services'."""

import re
from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clinics.selectors import department_choices, location_choices
from core.accounts.api_keys.scopes import OFFERED
from core.accounts.api_keys.services import MOST_DAYS, USUAL_DAYS
from core.accounts.models import Membership
from core.accounts.roles import CLINIC_ROLES, Role
from core.editing import ReadingForm
from core.forms import TypedChoice, TypedChoices, TypedField
from core.tenancy.protection import mark_choices

WORDS_OF_PLACES = {"location_ids": "locations", "department_id": "department"}


def form_name(field: str) -> str:
    """The form's name of a service's field."""
    return WORDS_OF_PLACES.get(field, field)


class PlaceOfWorkForm(forms.Form):
    """What somebody is in the clinic."""

    roles = TypedChoices(
        label=_("Roles"),
        choices=[(role.value, role.label) for role in Role if role in CLINIC_ROLES],
        widget=forms.CheckboxSelectMultiple,
    )
    locations = TypedChoices(
        label=_("Locations"), required=False, widget=forms.CheckboxSelectMultiple, help_text=_("None ticked means every location.")
    )
    department = TypedChoice(label=_("Department"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["locations"].choices = location_choices()  # type: ignore[attr-defined]
        self.fields["department"].choices = [("", _("Every department")), *department_choices()]  # type: ignore[attr-defined]

    def place_of_work(self) -> dict[str, Any]:
        """As services take it."""
        data = self.cleaned_data
        return {"roles": data["roles"], "location_ids": data["locations"], "department_id": data["department"] or None}


class InviteForm(PlaceOfWorkForm):
    """Whom to ask."""

    email = TypedField(label=_("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    full_name = TypedField(
        label=_("Full name"), required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("They can change it when they join."),
    )  # fmt: skip

    field_order = ("email", "full_name", "roles", "locations", "department")


class ProtectionForm(ReadingForm):
    """Which fields of a patient this clinic protects."""

    protected_fields = TypedChoices(
        label=_("Encrypt these fields"), required=False, choices=mark_choices, widget=forms.CheckboxSelectMultiple
    )


class MemberForm(ReadingForm, PlaceOfWorkForm):
    """Somebody who works here, or did."""

    state = TypedChoice(label=_("Works here"), choices=Membership.State.choices, widget=forms.RadioSelect)


class ApiKeyForm(forms.Form):
    """What another system is called, what it may do, and for how long."""

    name = TypedField(
        label=_("Name"), widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 80}),
        help_text=_("The system it is for, as it shall stand in the history: Laboratory system."),
    )  # fmt: skip
    days = TypedChoice(
        label=_("Valid for"), initial=USUAL_DAYS,
        choices=[(30, _("30 days")), (USUAL_DAYS, _("90 days")), (180, _("180 days")), (MOST_DAYS, _("a year"))],
    )  # fmt: skip
    scopes = TypedChoices(label=_("What it may do"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, offered: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = offered
        self.fields["scopes"].choices = [  # type: ignore[attr-defined]
            (words, [(scope, label) for action, label in actions.items() if (scope := f"{resource}:{action}") in offered])
            for resource, (words, actions) in OFFERED.items()
        ]

    def by_resource(self) -> list[tuple[Any, list[Any]]]:
        """The check boxes, a row for each kind of record."""
        boxes = {str(one.data["value"]): one for one in self["scopes"]}
        rows = [
            (words, [boxes[scope] for action in actions if (scope := f"{resource}:{action}") in boxes])
            for resource, (words, actions) in OFFERED.items()
        ]
        return [(words, found) for words, found in rows if found]

    def whole_days(self) -> int:
        """0 for what is no number: the service says what is wrong."""
        days: str = self.cleaned_data["days"]
        return int(days) if re.fullmatch(r"[0-9]{1,4}", days) else 0


class JoinForm(forms.Form):
    """Somebody without an account joins."""

    full_name = TypedField(label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = TypedField(
        label=_("New password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters."),
    )  # fmt: skip


class JoinWithPasswordForm(forms.Form):
    """Somebody who has an account joins with it."""

    password = TypedField(label=_("Your password"), widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))
