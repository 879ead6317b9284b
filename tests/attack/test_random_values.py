"""No value that machines make up is ever taken for an attack: tokens, keys, tags, ids, times, numbers; by thousands."""

import base64
import random
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus
from uuid import UUID

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory

from core.security.screening.places import screened
from core.security.screening.rules import NOTHING

EACH = 4000  # of every kind in every place
ALPHANUMERIC = string.ascii_letters + string.digits
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

type Random = random.Random
type Make = Callable[[Random], str]
type Asked = dict[str, str]
type Place = Callable[[str], Asked]


def letters(alphabet: str, least: int, most: int | None = None) -> Make:
    return lambda chance: "".join(chance.choices(alphabet, k=chance.randint(least, most or least)))


def urlsafe(chance: Random, least: int = 16, most: int = 200) -> str:
    return base64.urlsafe_b64encode(chance.randbytes(chance.randint(least, most))).decode()


def jwt(chance: Random) -> str:
    parts = [base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode(), urlsafe(chance, 60, 200), urlsafe(chance, 32, 32)]
    return ".".join(part.rstrip("=") for part in parts)


def signed(chance: Random) -> str:
    """As django.core.signing writes a value with its time."""
    when = letters(string.ascii_letters + string.digits, 6)(chance)
    return f"{urlsafe(chance, 10, 60).rstrip('=')}:{when}:{urlsafe(chance, 32, 32).rstrip('=')}"


def uuid(chance: Random) -> str:
    text = str(UUID(int=chance.getrandbits(128), version=4))
    return f"{text[:14]}7{text[15:]}" if chance.random() < 0.5 else text


def etag(chance: Random) -> str:
    tag = chance.choice(
        [f'"{chance.randint(1, 99)}-{chance.getrandbits(64):016x}"', f'"{urlsafe(chance)}"', f'W/"{chance.getrandbits(128):x}"']
    )
    return f"{tag}, {etag(chance)}" if chance.random() < 0.1 else tag


def cookies(chance: Random) -> str:
    session = letters(string.ascii_lowercase + string.digits, 32)(chance)
    return f"hms_session={session}; other={signed(chance)}; hms_csrf={urlsafe(chance)}"


def moment(chance: Random) -> str:
    zone = chance.choice(["Z", "+00:00", "+05:30", "-08:00", ""])
    return (datetime(1900, 1, 1, tzinfo=UTC) + timedelta(microseconds=chance.randrange(2**52))).isoformat()[:-6] + zone


def phone(chance: Random) -> str:
    shape = chance.choice(
        ["+44(0)## #### ####", "+# (###) ###-####", "+#(###)###-####", "(0##) ####-#### ext. ##", "0## ### ####", "###-#### x##",
         "00 ## ##/#######", "+##.##.########", "+## ## ## ## ## ##", "1-###-###-####", "(##)(##)####", "+##-(##)-####"]
    )  # fmt: skip
    return "".join(str(chance.randrange(10)) if one == "#" else one for one in shape)


def mail(chance: Random) -> str:
    name = letters(string.ascii_lowercase + string.digits, 1, 9)
    return f"{name(chance)}{chance.choice(['.', '_', '-', '+', chr(39), ''])}{name(chance)}@{name(chance)}.example"


HEX = letters("0123456789abcdef", 8, 64)
TOKENS: dict[str, Make] = {
    "hexadecimal": HEX,
    "uuid": uuid,
    "ulid": letters(CROCKFORD, 26),
    "nanoid": letters(ALPHANUMERIC + "_-", 21),
    "alphanumeric": letters(ALPHANUMERIC, 32, 64),
    "base64 for addresses": urlsafe,
    "jwt": jwt,
    "signed": signed,
}
KEYS = TOKENS | {
    "base64": lambda chance: base64.b64encode(chance.randbytes(chance.randint(6, 96))).decode(),
    "printable": letters(PRINTABLE, 8, 128),
}
HEADERS: dict[str, dict[str, Make]] = {
    "Authorization": {"bearer": lambda chance: f"Bearer {jwt(chance)}", "key": lambda chance: f"Api-Key {urlsafe(chance)}"},
    "Cookie": {"cookies": cookies},
    "X-CSRFToken": TOKENS,
    "If-None-Match": {"etags": etag},
    "If-Match": {"etags": etag},
    "Idempotency-Key": KEYS,
    "X-Request-ID": TOKENS,
    "X-Clinic-ID": {"uuid": uuid, "slug": lambda chance: "-".join(HEX(chance)[:9] for _ in range(3))},
    "X-HMS-Seen": {"mark": lambda chance: f"{chance.getrandbits(64):016x}.{chance.getrandbits(64):016x}"},
    "X-HMS-Position": {"position": lambda chance: f"{chance.getrandbits(8):X}/{chance.getrandbits(32):X}"},
    "traceparent": {"trace": lambda chance: f"00-{chance.getrandbits(128):032x}-{chance.getrandbits(64):016x}-01"},
    "X-Amzn-Trace-Id": {"trace": lambda chance: f"Root=1-{chance.getrandbits(32):08x}-{chance.getrandbits(96):024x};Sampled=1"},
    "X-Amzn-Oidc-Data": {"jwt": jwt},
    "Cf-Access-Jwt-Assertion": {"jwt": jwt},
    "X-SSL-Client-Cert": {
        "pem": lambda chance: quote(f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(chance.randbytes(300)).decode()}")
    },
    "X-Forwarded-For": {
        "addresses": lambda chance: ", ".join(".".join(str(chance.randrange(256)) for _ in range(4)) for _ in range(3))
    },
}
PARAMETERS: dict[str, dict[str, Make]] = {
    "cursor": KEYS,
    "token": TOKENS,
    "patient": {
        "uuid": uuid,
        "number": lambda chance: f"{letters(string.ascii_uppercase, 1, 4)(chance)}-{chance.randrange(10**7):07}",
    },
    "from": {"moment": moment},
    "date_of_birth": {"day": lambda chance: moment(chance)[:10]},
    "phone": {"phone": phone},
    "email": {"mail": mail},
}


def header(name: str) -> Place:
    return lambda value: {"HTTP_" + name.upper().replace("-", "_"): value}


def parameter(name: str) -> Place:
    return lambda value: {"QUERY_STRING": f"limit=25&{name}={quote_plus(value)}&ordering=-start"}


def piece_of_an_address(value: str) -> Asked:
    return {"PATH_INFO": f"/letters/{value}/"}


def boundary(value: str) -> Asked:
    return {"REQUEST_METHOD": "POST", "CONTENT_TYPE": f"multipart/form-data; boundary={value}"}


BOUNDARIES: dict[str, Make] = {
    "hexadecimal": HEX,
    "Chromium": lambda chance: f"----WebKitFormBoundary{letters(ALPHANUMERIC, 16)(chance)}",
    "Firefox": lambda chance: f"----geckoformboundary{HEX(chance)}",
    "nanoid": lambda chance: f"axios-1.7.2-boundary-{letters(ALPHANUMERIC + '_-', 25)(chance)}",
    "quoted": lambda chance: f'"{uuid(chance)}"',
}
PLACES: list[tuple[str, Place, Make]] = [
    *((f"{name}: {kind}", header(name), make) for name, kinds in HEADERS.items() for kind, make in kinds.items()),
    *((f"{name}: {kind}", parameter(name), make) for name, kinds in PARAMETERS.items() for kind, make in kinds.items()),
    *((f"address: {kind}", piece_of_an_address, make) for kind, make in TOKENS.items()),
    *((f"boundary: {kind}", boundary, make) for kind, make in BOUNDARIES.items()),
]


@pytest.mark.parametrize(("where", "place", "make"), PLACES, ids=[where for where, _, _ in PLACES])
def test_no_random_value_is_flagged(where: str, place: Place, make: Make) -> None:
    chance, usual = random.Random(where), dict(RequestFactory().get("/api/v2/patients").META)
    values = (make(chance) for _ in range(EACH))
    assert [(value, found.names) for value in values if (found := screened(WSGIRequest(usual | place(value)))) is not NOTHING] == []
