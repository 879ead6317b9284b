"""Who is counted, under which names and by which limits (docs/operators.md, "Rate limits"). No name can be read back."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings

from core.accounts.models import normalise_email
from core.cache.process import secrecy
from core.security.limiting.classes import RouteClass
from core.security.limiting.rates import Rate, Window, rate_of
from core.security.limiting.verdicts import Demand, Standing
from core.security.proxies import counted

if TYPE_CHECKING:
    from core.requests import HMSRequest
    from core.tenancy.models import Clinic

PAGE_TRIES = 2  # times HMS_RATE_AUTH that the sign-in page takes: a person mistypes, a machine doesn't
ADDRESS_LETTERS = 5  # times HMS_RATE_LETTERS that one address may have sent: behind it may be a whole clinic
BESIDE = {RouteClass.UPLOAD: "HMS_RATE_UPLOAD", RouteClass.HEAVY: "HMS_RATE_HEAVY", RouteClass.SEARCH: "HMS_RATE_SEARCH"}
OF_A_CLINIC = {RouteClass.UPLOAD: "rate_upload", RouteClass.HEAVY: "rate_heavy"}  # its own limit, where it has one
SIGNING_IN = (RouteClass.AUTH, RouteClass.REFRESH)


@dataclass(slots=True)
class Counted:
    """What of a request has been counted: who asks, what a page looks for; its route's class, and how every window stands."""

    kind: RouteClass
    caller: bool = False
    search: bool = False
    standings: list[Standing] = field(default_factory=list)


def address_of(request: "HMSRequest") -> str:
    """The client's address as counters know it; all that have none count together."""
    return counted(str(request.META.get("REMOTE_ADDR", "")))


def configured(variable: str) -> Rate:
    """The limit that the installation sets. Raises NotARate, which the system check has told before."""
    return rate_of(getattr(settings, variable))


def page_tries() -> Rate:
    """How often the sign-in page may be sent for one account, and wrongly from one address."""
    return _times(PAGE_TRIES, "HMS_RATE_AUTH")


def letters_of_an_address() -> Rate:
    """How many letters strangers behind one address may have sent to accounts that they name."""
    return _times(ADDRESS_LETTERS, "HMS_RATE_LETTERS")


def stranger(request: "HMSRequest", kind: RouteClass) -> list[Demand]:
    """Somebody of whom only the address is known. The API is counted apart from pages: one bad machine closes no page.

    Loads of the sign-in page are counted apart and as generously as one person's requests, since behind one address may be a
    whole clinic that comes to work; what is typed there is counted in the view.
    """
    address = address_of(request)
    if kind in SIGNING_IN:
        return [_auth(address)]
    if kind is RouteClass.SIGN_IN:
        return [_demand(f"sign-in page {address}", configured("HMS_RATE_USER"))]
    entrance = "api" if request.path.startswith("/api/") else "page"
    demands = [_demand(f"{entrance} {address}", configured("HMS_RATE_ANON"))]
    if kind in BESIDE:
        demands.append(_demand(f"{kind} {address}", configured(BESIDE[kind])))
    return demands


def person(request: "HMSRequest", user_id: UUID, clinic: "Clinic | None", kind: RouteClass) -> list[Demand]:
    """Somebody signed in; a clinic may have limits of its own. The API's sign-in counts by address whoever asks."""
    demands = [_persons("usual", user_id, clinic.rate_user if clinic else "", "HMS_RATE_USER", clinic)]
    if kind in SIGNING_IN:
        demands.append(_auth(address_of(request)))
    elif kind in BESIDE:
        own = getattr(clinic, OF_A_CLINIC[kind]) if clinic and kind in OF_A_CLINIC else ""
        demands.append(_persons(kind, user_id, own, BESIDE[kind], clinic))
    return demands


def account(email: str) -> list[Demand]:
    """One account at the API's sign-in, whether there is such an account or not."""
    return [_demand(f"account {normalise_email(email)}", configured("HMS_RATE_AUTH"))]


def code(request: "HMSRequest", email: str) -> list[Demand]:
    """A code that the API sends to one account, whether there is such an account or not."""
    to = _demand(f"letters to {normalise_email(email)}", configured("HMS_RATE_LETTERS"))
    return [to, _demand(f"letters of {address_of(request)}", letters_of_an_address())]


def screen(screen_id: UUID) -> list[Demand]:
    """Everything that one screen of a waiting room asks: several of them share an address."""
    return [_demand(f"screen {screen_id}", configured("HMS_RATE_SCREEN"))]


def kiosk(screen_id: UUID, what: str) -> list[Demand]:
    """What is done at one kiosk, of each kind apart."""
    return [_demand(f"kiosk {what} {screen_id}", configured("HMS_RATE_KIOSK"))]


def _times(factor: int, variable: str) -> Rate:
    return tuple(Window(window.limit * factor, window.span) for window in configured(variable))


def _auth(address: str) -> Demand:
    return _demand(f"auth {address}", configured("HMS_RATE_AUTH"))


def _persons(kind: str, user_id: UUID, own: str, variable: str, clinic: "Clinic | None") -> Demand:
    if own and clinic is not None:
        return _demand(f"{kind} {user_id} {clinic.pk}", rate_of(own))
    return _demand(f"{kind} {user_id}", configured(variable))


def _demand(who: str, rate: Rate) -> Demand:
    """Another limit is another key: what was counted under the old one says nothing about the new one."""
    return Demand(secrecy.name("limit", f"{who} {_spelt(rate)}"), rate)


@lru_cache(maxsize=256)
def _spelt(rate: Rate) -> str:
    """Spelt once, not for each request."""
    return str(rate)
