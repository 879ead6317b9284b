"""Making and ending keys. Both stand in the history; a new one is told to the clinic's administrators."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.accounts.administrators import tell_administrators, who_did
from core.accounts.api_keys.models import ApiKey, ApiKeyQuerySet
from core.accounts.api_keys.scopes import givable
from core.accounts.api_keys.text import new_text
from core.accounts.models import KEY_DOMAIN, User
from core.accounts.tokens import digest_of
from core.errors import NotFound, invalid
from core.tenancy.context import current_clinic_id
from core.tenancy.ids import new_id
from core.tenancy.models import Clinic
from core.validators import Problems, clean_fields

USUAL_DAYS, MOST_DAYS = 90, 365


def make_api_key(*, actor: Actor, name: Any, scopes: Collection[str], days: int = USUAL_DAYS) -> tuple[ApiKey, str]:
    """A key of the scope's clinic, and its text, which is told now and never again. Six statements, and one per administrator.

    Raises ValidationFailed naming every wrong field: `name`, `scopes` (some, and none that the maker may not do), `days`.
    """
    actor.require("api_key", "create")
    problems = Problems()
    cleaned = clean_fields({"name": name}, ApiKey().field_rules(), problems)
    _check_scopes(actor, scopes, problems)
    if not 1 <= days <= MOST_DAYS:
        problems.add("days", "out_of_range", _("A key lives from 1 to %(most)d days.") % {"most": MOST_DAYS})
    if cleaned["name"] and api_keys().filter(name=cleaned["name"], ended_at=None).exists():
        problems.add("name", "unique", _name_taken())
    problems.raise_if_any()
    user = User(pk=new_id(), full_name=cleaned["name"], is_active=False)
    text = new_text(user.pk)
    key = ApiKey(
        clinic_id=current_clinic_id(),
        user=user,
        name=user.full_name,
        digest=digest_of(text),
        scopes=sorted(set(scopes)),
        made_by_id=actor.user_id,
        expires_at=timezone.now() + timedelta(days=days),
    )
    _save(user, key)
    _tell_of(key, actor)
    return key, text


def end_api_key(*, actor: Actor, key_id: UUID) -> ApiKey:
    """It is refused from its next request on, in every process. Raises NotFound. Two statements; one for a key that has ended."""
    actor.require("api_key", "end")
    key = api_key(key_id, lock=True)
    if key.ended_at is None:
        key.ended_at, key.ended_by_id = timezone.now(), actor.user_id
        key.save(update_fields=["ended_at", "ended_by"])
    return key


def api_keys() -> ApiKeyQuerySet:
    """The scope's clinic's keys, the newest first, those that are over too. No query yet."""
    return ApiKey.objects.filter(clinic_id=current_clinic_id())


def api_key(key_id: UUID, *, lock: bool = False) -> ApiKey:
    """One of the scope's clinic's. Raises NotFound. One query."""
    rows = api_keys().select_for_update() if lock else api_keys()
    key = rows.filter(pk=key_id).first()
    if key is None:
        raise NotFound(_("There is no such key."))
    return key


# --- Inside ---------------------------------------------------------------------------------------------------------------
def _check_scopes(actor: Actor, scopes: Collection[str], problems: Problems) -> None:
    if not scopes:
        problems.add("scopes", "required", _("Choose at least one thing that the key may do."))
    elif beyond := sorted(set(scopes) - givable(actor)):
        problems.add("scopes", "not_allowed", _("You can’t give this: %(scopes)s.") % {"scopes": ", ".join(beyond)[:200]})


def _save(user: User, key: ApiKey) -> None:
    """The key and whom it acts as: an account that is closed and has no password, so there is no other door to it."""
    user.email = f"{user.pk.hex}@{KEY_DOMAIN}"
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            key.save(force_insert=True)
    except IntegrityError as error:  # somebody else names one the same at this moment
        raise invalid("name", "unique", _name_taken()) from error


def _name_taken() -> str:
    return _("There is a key of this name. End it first, or name this one otherwise.")


def _tell_of(key: ApiKey, actor: Actor) -> None:
    """Three statements, and one for each administrator; two for an operator's key."""
    clinic = Clinic.objects.get(pk=key.clinic_id)
    text = _(
        "Hello,\n\n%(by)s has made an API key for %(clinic)s in HMS:\n\n%(name)s, until %(until)s\n\n"
        "With it another system can do this:\n%(scopes)s\n\n"
        "If nobody of you wanted that, end the key at once (Settings, API keys) and change your passwords."
    ) % {
        "by": who_did(actor),
        "clinic": clinic.name,
        "name": key.name,
        "until": f"{key.expires_at.astimezone(clinic.zone):%Y-%m-%d}",
        "scopes": "\n".join(key.scopes),
    }
    tell_administrators(clinic.pk, subject=_("A new API key for %(clinic)s") % {"clinic": clinic.name}, text=text)
