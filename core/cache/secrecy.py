"""What Redis is given to see: names that say nothing, values that are encrypted."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from django.conf import settings

from core.security.crypto import decrypt, encrypt

CODE = ("core", "clinics", "patients", "appointments", "hms", "templates", "locale")


class Secrecy:
    """Names and seals of one installation: two that share a Redis don't meet. `place` tells databases apart."""

    def __init__(self, place: Callable[[], str]) -> None:
        self._place = place

    @cached_property
    def _key(self) -> bytes:
        return hashlib.blake2b(f"cache:{self._place()}:{settings.SECRET_KEY}".encode(), digest_size=32).digest()

    @cached_property
    def code_version(self) -> str:
        """Changes with the code: what older code made of a row is no answer any more."""
        digest = hashlib.blake2b(digest_size=16)
        for folder in CODE:
            for path in sorted(Path(settings.BASE_DIR, folder).rglob("*")):
                if path.suffix in (".py", ".html", ".mo"):
                    digest.update(path.read_bytes())
        return digest.hexdigest()

    def name(self, kind: str, text: str = "") -> str:
        """The name of a Redis key. Values and their locks belong to a version of the code."""
        said = f"{kind}:{text}:{self.code_version}" if kind in ("v", "l") else f"{kind}:{text}"
        return f"hms:{hashlib.blake2b(said.encode(), key=self._key, digest_size=16).hexdigest()}"

    def seal(self, text: str, plain: bytes) -> bytes:
        return encrypt(plain, context=self.name("v", text))

    def open(self, text: str, sealed: bytes) -> bytes:
        """Raises core.security.crypto.Undecipherable."""
        return decrypt(sealed, context=self.name("v", text))
