"""Which statements are the same but for their values: the name under which the detector counts them."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

KEPT = 2048  # statements whose fingerprint is remembered; HMS has some hundred
NOT_COUNTED = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_NUMBER = re.compile(r"(?<![\w$\"])\d+(?:\.\d+)?\b")
_LIST = re.compile(r"\(\s*%s(?:\s*,\s*%s)+\s*\)")
_ROWS = re.compile(r"(\((?:%s|…)\))(?:\s*,\s*\1)+")
_ARRAY = re.compile(r"ARRAY\[\s*%s(?:\s*,\s*%s)*\s*\]")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A statement without its values. `digest` is its short name, `kind` its first word: SELECT, INSERT, …"""

    digest: str
    text: str
    kind: str


@lru_cache(maxsize=KEPT)
def fingerprint(sql: str) -> Fingerprint:
    """Lists of any length are one, values and literals don't matter. Some 0.1 us for a statement that was seen before."""
    text = normalised(sql)
    digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return Fingerprint(digest, text, text.lstrip("( ").partition(" ")[0].upper())


def normalised(sql: str) -> str:
    """The statement with `%s` for every value and `…` for every list of them; no value of a person stays in it."""
    text = " ".join(sql.split())
    text = _NUMBER.sub("%s", _TEXT.sub("%s", text))
    return _ROWS.sub(r"\1", _LIST.sub("(…)", _ARRAY.sub("ARRAY[…]", text)))


def text_of(sql: Any) -> str:
    """SQL as text: Django sends some statements as psycopg's composed ones."""
    return sql if isinstance(sql, str) else str(sql.as_string(None))
