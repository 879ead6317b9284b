"""What a key may be given to do: the places of the permission matrix that the API asks for, in plain words.

A scope is written `resource:action`, as in the matrix. What is not named here no key can have: `tests/core/test_api_keys.py`
holds the list to what the API's routes ask for.
"""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _

from core.accounts.actor import Actor

READ, ADD, CHANGE = _("Read"), _("Add"), _("Change")
PART = {"view": READ, "create": ADD, "change": CHANGE}

# resource -> what it is called, and its actions with what they are called; in the order of the page.
OFFERED: dict[str, tuple[Any, dict[str, Any]]] = {
    "patient": (
        _("Patients and consents"),
        {"view": READ, "search": _("Search"), "create": _("Register"), "change": CHANGE, "anonymise": _("Anonymise")},
    ),
    "break_glass": (
        _("Emergency access to restricted records"),
        {"view": READ, "create": _("Open a record"), "review": _("Give verdicts")},
    ),
    "document": (_("Patients’ documents"), {"view": READ, "create": ADD, "enter_in_error": _("Mark as entered in error")}),
    "access_log": (_("Who has looked at a patient"), {"view": READ}),
    "appointment": (
        _("Visits"),
        {
            "view": READ,
            "history": _("Read their history"),
            "create": _("Book, change notes"),
            "reschedule": _("Move"),
            "cancel": _("Cancel"),
            "confirm": _("Confirm"),
            "check_in": _("Check in"),
            "start": _("Start"),
            "complete": _("Complete"),
            "no_show": _("Mark as missed"),
            "undo": _("Take a step back"),
        },
    ),
    "queue": (
        _("The queue of walk-ins"),
        {
            "view": READ,
            "create": _("Take tickets"),
            "call": _("Call the next"),
            "recall": _("Call again"),
            "serve": _("Let in"),
            "skip": _("Skip"),
            "put_back": _("Put back"),
            "transfer": _("Send on"),
            "finish": _("Finish"),
            "leave": _("Mark as left"),
        },
    ),
    "slot": (_("Free times"), {"view": READ}),
    "service": (_("Services"), PART),
    "schedule": (_("Opening hours, time off, holidays"), {**PART, "delete": _("Remove")}),
    "provider": (_("Providers"), PART),
    "location": (_("Locations"), PART),
    "department": (_("Departments"), PART),
    "room": (_("Rooms"), PART),
    "staff": (_("Staff"), {"view": READ}),
    "membership": (_("Members and their roles"), {"view": READ}),
    "webhook": (_("Webhooks"), {**PART, "replay": _("Send again")}),
    "live": (_("Streams of what happens"), {"view": READ}),
    "clinic": (_("The clinic itself"), {"view": READ}),
    "job": (_("Jobs"), {"view": READ, "cancel": _("Cancel"), "retry": _("Try again")}),
}
SCOPES = frozenset(f"{resource}:{action}" for resource, (_words, actions) in OFFERED.items() for action in actions)


def givable(actor: Actor) -> frozenset[str]:
    """The scopes this person may give to a key: what they may do themselves."""
    return frozenset(scope for scope in SCOPES if actor.can(*scope.split(":")))


def in_words(scopes: Iterable[str]) -> list[tuple[Any, list[Any]]]:
    """`(resource, [actions])` as people read them, in the order of the page. What there is no more is left out."""
    given = set(scopes)
    found = [
        (words, [label for action, label in actions.items() if f"{resource}:{action}" in given])
        for resource, (words, actions) in OFFERED.items()
    ]
    return [(words, labels) for words, labels in found if labels]
