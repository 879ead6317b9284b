"""Keep, find and drop what somebody was typing."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID

import psycopg
from django.db import connection
from django.http import QueryDict
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.drafts.models import Draft
from core.errors import BadRequest, Detail, NotAllowed, NotFound, PayloadTooLarge
from core.idempotency.middleware import FORM_FIELD
from core.idempotency.models import IdempotencyRecord
from core.tenancy.context import current_clinic_id

FORM_NAME = re.compile(r"[a-z0-9:-]{1,100}")
KEPT_FOR = timedelta(days=30)  # after the last word was typed
MOST_BYTES = 64 * 1024  # of all that is typed into one form; browsers send no more while a page is left
MOST_OF_A_PERSON = 20  # the oldest go
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('hms.draft ' || %s, 0))"
NEVER_KEPT = {"csrfmiddlewaretoken", FORM_FIELD, "password"}


class Step(NamedTuple):
    """Which of its drafts a page sends: two that are on their way at once may arrive in either order."""

    page: str = ""
    number: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `<the page's own name>/<number>`; empty text is a page that doesn't count. Raises BadRequest."""
        if not text:
            return cls()
        found = re.fullmatch(r"([0-9a-z-]{1,36})/(\d{1,9})", text, re.ASCII)
        if found is None:
            message = "The step of a draft is the page's name of its own and a number, such as k3x9/7."
            raise BadRequest(message, [Detail("Draft-Step", "invalid", message)])
        return cls(found[1], int(found[2]))


UNCOUNTED = Step()


def keep_draft(*, actor: Actor, form: str, typed: QueryDict, key: str = "", step: Step = UNCOUNTED) -> Draft | None:
    """Keep what is in the form now, in place of what was kept before. Four queries; five for one that is new.

    `form` says which form, and of which record: `patient-register`, `patient-edit:<id>`. What is older than what the same page sent
    before, as its `step` shows, changes nothing. None for one that was taken meanwhile, as its idempotency `key` shows: what was on
    its way then comes too late. Raises NotAllowed for who is only a patient here, NotFound for another shape, PayloadTooLarge.
    """
    if actor.is_patient_only:
        raise NotAllowed(_("Your role does not allow this."))
    if not FORM_NAME.fullmatch(form):
        raise NotFound("There is no such form.")
    values = {name: typed.getlist(name) for name in typed if name not in NEVER_KEPT}
    if sum(len(text.encode()) for name, texts in values.items() for text in (name, *texts)) > MOST_BYTES:
        raise PayloadTooLarge(_("That is too long to be kept as a draft. Save it before you leave this page."))
    _lock(actor, form)
    if key and IdempotencyRecord.objects.filter(user=actor.user_id, key=key).exists():
        return None
    before = Draft.objects.filter(**_key(actor, form)).first()
    if before is not None and step.page == before.page and step.number < before.step:
        return before
    draft = before or Draft(**_key(actor, form))
    draft.payload, draft.page, draft.step = Draft.sealed(values, current_clinic_id()), *step
    draft.save()
    if before is None:
        newest = Draft.objects.filter(user_id=draft.user_id).order_by("-updated_at", "-pk")
        Draft.objects.filter(pk__in=newest.values("pk")[MOST_OF_A_PERSON:]).delete()
    return draft


def draft_of(*, actor: Actor, form: str) -> Draft | None:
    """What the person had typed into this form and not finished, or None. One query."""
    return Draft.objects.filter(**_key(actor, form)).first()


def drop_draft(*, actor: Actor, form: str) -> None:
    """The form was finished or thrown away. Two queries."""
    _lock(actor, form)
    Draft.objects.filter(**_key(actor, form)).delete()


def forget_drafts(maintenance: psycopg.Connection[Any], *, clinic_id: UUID, about: Iterable[UUID]) -> int:
    """Drop everybody's unfinished forms about these rows, as hms_maintenance. Returns how many. One statement."""
    ids = [str(one) for one in about]
    statement = "DELETE FROM core_draft WHERE clinic_id = %s AND split_part(form, ':', 2) = ANY(%s)"
    return maintenance.execute(statement, [clinic_id, ids]).rowcount


def _lock(actor: Actor, form: str) -> None:
    """Until the end of the transaction nobody else keeps or drops this one: a key that was taken shows with the drop, or later."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [f"{actor.user_id} {actor.clinic_id} {form}"])


def _key(actor: Actor, form: str) -> dict[str, Any]:
    return {"user_id": actor.user_id, "clinic_id": actor.clinic_id, "form": form}
