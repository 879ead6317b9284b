"""Passkeys by fido2: what the browser is asked, and whether its answer is true. The relying party is HMS_BASE_DOMAIN.

fido2 is imported where it is used: most processes never do, and it takes 3 MB.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from core.accounts.factors.models import SecondFactor
from core.accounts.models import User

if TYPE_CHECKING:
    from fido2.server import Fido2Server
    from fido2.webauthn import AttestedCredentialData

LONGEST = 16_384  # characters of a browser's answer


class NotProved(ValueError):
    """The browser's answer is not what was asked for."""


def available() -> bool:
    """Do browsers allow passkeys here? Only over https, and on localhost."""
    base = urlsplit(settings.HMS_BASE_URL)
    domain: str = settings.HMS_BASE_DOMAIN
    return base.scheme == "https" or domain == "localhost"


def ask_to_make(user: User, known: Sequence[SecondFactor]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the browser is asked, to make a passkey that is good without a name and a password; and the state to keep."""
    from fido2.webauthn import PublicKeyCredentialUserEntity, ResidentKeyRequirement, UserVerificationRequirement

    person = PublicKeyCredentialUserEntity(id=user.pk.bytes, name=user.email, display_name=user.full_name)
    asked, state = _server().register_begin(
        person,
        credentials=[credential_of(one) for one in known],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return dict(asked), state


def made(state: dict[str, Any], answer: str) -> dict[str, str]:
    """The secret of the new factor. Raises NotProved."""
    from fido2.utils import websafe_encode

    try:
        proved = _server().register_complete(state, _read(answer))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProved from error
    if proved.credential_data is None:
        raise NotProved
    return {"credential": websafe_encode(proved.credential_data)}


def ask_to_prove(known: Sequence[SecondFactor] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the browser is asked, to use one of these, or any that it has for us; and the state to keep."""
    from fido2.webauthn import UserVerificationRequirement

    asked, state = _server().authenticate_begin(
        credentials=[credential_of(one) for one in known] or None, user_verification=UserVerificationRequirement.REQUIRED
    )
    return dict(asked), state


def person_of(answer: str) -> UUID:
    """Whom the answer says to be. Raises NotProved; nothing is proved yet."""
    from fido2.utils import websafe_decode

    try:
        return UUID(bytes=websafe_decode(_read(answer)["response"]["userHandle"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProved from error


def proved(state: dict[str, Any], answer: str, known: Sequence[SecondFactor]) -> SecondFactor:
    """The passkey that was used. Raises NotProved."""
    credentials = {credential_of(one).credential_id: one for one in known}
    try:
        used = _server().authenticate_complete(state, [credential_of(one) for one in known], _read(answer))
        return credentials[used.credential_id]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProved from error


def credential_of(factor: SecondFactor) -> "AttestedCredentialData":
    from fido2.utils import websafe_decode
    from fido2.webauthn import AttestedCredentialData

    return AttestedCredentialData(websafe_decode(factor.secret["credential"]))


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > LONGEST:
        raise NotProved
    read = json.loads(answer)
    if not isinstance(read, dict):
        raise NotProved
    return read


def _server() -> "Fido2Server":
    from fido2.server import Fido2Server
    from fido2.webauthn import PublicKeyCredentialRpEntity

    party = PublicKeyCredentialRpEntity(id=settings.HMS_BASE_DOMAIN, name="HMS")
    return Fido2Server(party, verify_origin=_is_ours)


def _is_ours(origin: str) -> bool:
    """Our own address, or a clinic's below it, over the same scheme and port."""
    base, said = urlsplit(settings.HMS_BASE_URL), urlsplit(origin)
    host = said.hostname or ""
    domain: str = settings.HMS_BASE_DOMAIN
    same_place = (said.scheme, said.port) == (base.scheme, base.port)
    return same_place and (host == domain or host.endswith(f".{domain}"))
