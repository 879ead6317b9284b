"""Keep, find and drop what somebody was typing."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.http import QueryDict

from core.accounts.actor import Actor
from core.drafts.models import Draft
from core.errors import NotFound
from core.idempotency.middleware import FORM_FIELD
from core.tenancy.context import current_clinic_id

FORM_NAME = re.compile(r"[a-z0-9:-]{1,100}")
KEPT_FOR = timedelta(days=30)  # after the last word was typed
NEVER_KEPT = {"csrfmiddlewaretoken", FORM_FIELD, "password"}


def keep_draft(*, actor: Actor, form: str, typed: QueryDict) -> Draft:
    """Keep what is in the form now, in place of what was kept before. Two queries.

    `form` says which form, and of which record: `patient-register`, `patient-edit:<id>`. Raises NotFound for another shape.
    """
    if not FORM_NAME.fullmatch(form):
        raise NotFound("There is no such form.")
    values = {name: typed.getlist(name) for name in typed if name not in NEVER_KEPT}
    draft, _ = Draft.objects.update_or_create(**_key(actor, form), defaults={"payload": Draft.sealed(values, current_clinic_id())})
    return draft


def draft_of(*, actor: Actor, form: str) -> Draft | None:
    """What the person had typed into this form and not finished, or None. One query."""
    return Draft.objects.filter(**_key(actor, form)).first()


def drop_draft(*, actor: Actor, form: str) -> None:
    """The form was finished or thrown away. One query."""
    Draft.objects.filter(**_key(actor, form)).delete()


def forget_drafts(connection: psycopg.Connection[Any], *, clinic_id: UUID, about: Iterable[UUID]) -> int:
    """Drop everybody's unfinished forms about these rows, as hms_maintenance. Returns how many. One statement."""
    ids = [str(one) for one in about]
    statement = "DELETE FROM core_draft WHERE clinic_id = %s AND split_part(form, ':', 2) = ANY(%s)"
    return connection.execute(statement, [clinic_id, ids]).rowcount


def _key(actor: Actor, form: str) -> dict[str, Any]:
    return {"user_id": actor.user_id, "clinic_id": actor.clinic_id, "form": form}
