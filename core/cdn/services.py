"""Telling the content delivery network to forget files. Needed after a mistake alone: names change with what files hold."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

from core.cdn.providers import PROVIDERS, Account, Purge
from core.outbound.addresses import ANYTHING
from core.outbound.errors import OutboundTrouble
from core.outbound.registry import registry
from core.outbound.systems import System


class NotPurged(RuntimeError):
    """The network was not told, or refused; the text says why and repeats no secret."""


def purge(names: Sequence[str] | None) -> int:
    """Forget these files, under their plain and their hashed names; None: all there are. Returns how many requests it took.

    A request may have been carried out although no answer came; to repeat one does no harm. Raises NotPurged.
    """
    account = _account()
    provider = PROVIDERS[account.provider]
    system = System("cdn", "other", (account.api,), guard=ANYTHING)
    count = 0
    for request in provider.purges(account, None if names is None else addresses(names)):
        _tell(system, request, provider.is_done)
        count += 1
    return count


def addresses(names: Sequence[str]) -> list[str]:
    """Where browsers find these files. Raises NotPurged for a name that no file has."""
    found: list[str] = []
    for name in names:
        name = name.removeprefix("/static/").removeprefix("/")
        if not staticfiles_storage.exists(name):
            raise NotPurged(f"There is no static file {name}.")
        plain = f"{settings.HMS_CDN_URL}/static/{name}"
        found += dict.fromkeys([plain, staticfiles_storage.url(name)])
    return found


def _account() -> Account:
    if not settings.HMS_CDN_URL:
        raise NotPurged("HMS_CDN_URL is not set.")
    account = Account(settings.HMS_CDN_PROVIDER, settings.HMS_CDN_ZONE, settings.HMS_CDN_TOKEN, settings.HMS_CDN_API_URL)
    if account.provider not in PROVIDERS:
        raise NotPurged(f"HMS_CDN_PROVIDER is none of {', '.join(PROVIDERS)}.")
    if not account.zone or not account.token:
        raise NotPurged("HMS_CDN_ZONE and HMS_CDN_TOKEN are needed.")
    return account if account.api else replace(account, api=PROVIDERS[account.provider].api)


def _tell(system: System, request: Purge, is_done: Callable[[bytes], bool]) -> None:
    try:
        answer = registry.client_of(system).request("POST", request.path, content=request.body, headers=request.headers)
    except OutboundTrouble as trouble:
        raise NotPurged(f"The network gave no answer: {trouble.cause}.") from trouble
    if not answer.ok or not is_done(answer.content):
        raise NotPurged(f"The network refused: HTTP {answer.status}.")
