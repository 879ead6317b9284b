"""Keyed search tokens: how a patient is found by pieces of name, numbers and birth date with one kind of index.

A token is a keyed hash of a kind and a piece, cut to 64 bits; the key is the clinic's own, so that tokens of two clinics
can't be compared. A chance match of two pieces is possible and harmless: what is found is compared with the record itself.
"""

import hashlib
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import jellyfish

from core.keys.sealing import known_search_keys, search_key, written_search_keys
from patients.names import APOSTROPHES, code_form, digits_of, name_parts, one_letter_less

SHORTEST_PREFIX, LONGEST_PREFIX = 3, 8
PHONE_ENDINGS = (10, 7, 4)
KEPT_SPELLINGS = 5_000  # many people share few names, and a search compares with hundreds
LONGEST_WITH_SLIPS = 24  # letters of a family name that are indexed for slips; longer ones only as a beginning

PREFIX, SOUND, SLIP, PHONE, RECORD, BIRTH, IDENTITY, INSURANCE, EMAIL = "p", "s", "x", "t", "m", "b", "n", "i", "e"
UNREAD = {"national_id": IDENTITY, "insurance_policy_number": INSURANCE}  # encrypted: found by their token, never read to compare
# The fields that a patient is found by; each gives its tokens whatever stands in the others.
FIELDS = (
    "given_name", "middle_name", "family_name", "preferred_name", "mrn", "date_of_birth", "phone", "phone_alt",
    "national_id", "insurance_policy_number", "email",
)  # fmt: skip


class Findable(Protocol):
    """What of a patient the tokens are made of."""

    given_name: str
    middle_name: str
    family_name: str
    preferred_name: str
    date_of_birth: date
    phone: str
    phone_alt: str
    email: str
    national_id: str
    insurance_policy_number: str
    mrn: str


def token_under(key: bytes, kind: str, piece: str) -> int:
    """What the clinic's patients are searched by: a signed 64-bit number."""
    made = hashlib.blake2b(f"{kind}:{piece}".encode(), key=key, digest_size=8).digest()
    return int.from_bytes(made, signed=True)


def tokens_of_pieces(clinic_id: UUID, pieces: Iterable[tuple[str, str]]) -> list[int]:
    """Those of `(kind, piece)`, in their order, under one reading of the clinic's key."""
    key = search_key(clinic_id)
    return [token_under(key, kind, piece) for kind, piece in pieces]


def tokens_of(clinic_id: UUID, patient: Findable) -> set[int]:
    """All tokens of a patient, about 20 to 40; twice as many while a new search key takes over."""
    return {made for key in written_search_keys(clinic_id) for made in tokens_under(key, patient)}


def stored_tokens_of(clinic_id: UUID, patient: Findable) -> set[int]:
    """All tokens that may be stored for a patient: those of `tokens_of`, and what a retired search key has left."""
    return {made for key in known_search_keys(clinic_id) for made in tokens_under(key, patient)}


def tokens_under(key: bytes, patient: Findable) -> set[int]:
    """All tokens of a patient under one search key."""
    return {token_under(key, kind, piece) for kind, piece in pieces_of(patient)}


def pieces_of(patient: Findable) -> set[tuple[str, str]]:
    """What the tokens are made of, in clear."""
    return {piece for field in FIELDS for piece in pieces_in(field, getattr(patient, field))}


def pieces_in(field: str, value: Any) -> set[tuple[str, str]]:
    """What one field contributes, whatever stands in the others."""
    match field:
        case "given_name" | "middle_name" | "family_name" | "preferred_name":
            pieces = _name_pieces(field, value)
        case "phone" | "phone_alt":
            pieces = {(PHONE, ending) for ending in phone_endings(value)}
        case "mrn":
            pieces = {(RECORD, piece) for piece in record_pieces(value)}
        case "date_of_birth":
            pieces = {(BIRTH, value.isoformat())}
        case "national_id" | "insurance_policy_number":
            pieces = {(UNREAD[field], code_form(value))}
        case "email":
            pieces = {(EMAIL, email_form(value))}
        case _:
            raise ValueError(f"Nobody is found by {field}.")
    return {(kind, piece) for kind, piece in pieces if piece}


def _name_pieces(field: str, name: str) -> set[tuple[str, str]]:
    pieces: set[tuple[str, str]] = set()
    for word in spellings(name):
        pieces |= {(PREFIX, start) for start in starts(word)}
        pieces.add((SOUND, sound(word)))
        if field == "family_name":
            pieces |= {(SLIP, variant) for variant in slips(word)}
    # One or two letters of a leading word are found through the name's own index.
    for word in name_parts(name)[1 if field in ("given_name", "family_name") else 0 :]:
        pieces |= {(PREFIX, word[:1]), (PREFIX, word[:2])}
    return pieces


@lru_cache(maxsize=KEPT_SPELLINGS)
def spellings(name: str) -> frozenset[str]:
    """The words of a name, also run together (de la Cruz: delacruz) and, after an apostrophe, alone (O'Brien: brien)."""
    if name.isascii() and name.isalnum():
        return frozenset((name.lower(),))
    words = name_parts(name)
    apart = name_parts("".join(" " if c in APOSTROPHES else c for c in name))
    return frozenset((*words, *(word for word in apart if len(word) >= SHORTEST_PREFIX), "".join(words))) - {""}


def starts(word: str) -> set[str]:
    """The beginnings of 3 to 8 letters; a word shorter than 3 as it is."""
    return {word[:length] for length in range(SHORTEST_PREFIX, min(len(word), LONGEST_PREFIX) + 1)} or {word}


def start_of(typed: str) -> str:
    """The longest beginning of a typed word that is indexed."""
    return typed[:LONGEST_PREFIX]


def sound(word: str) -> str:
    """How it sounds in English; "" for scripts of which that is not known."""
    return jellyfish.metaphone(word) if word.isascii() and word.isalpha() and len(word) >= SHORTEST_PREFIX else ""


def slips(word: str) -> set[str]:
    """What a word and any spelling of it with one wrong, missing, extra or swapped letter have in common."""
    return one_letter_less(word[:LONGEST_WITH_SLIPS]) if len(word) >= SHORTEST_PREFIX else {word}


def phone_endings(phone: str) -> list[str]:
    """The last 10, 7 and 4 digits, as far as there are so many."""
    digits = digits_of(phone)
    return [digits[-length:] for length in PHONE_ENDINGS if len(digits) >= length]


def record_pieces(mrn: str) -> set[str]:
    """RV-0000123 as rv123 and as 123."""
    prefix, _, number = mrn.rpartition("-")
    plain = number.lstrip("0") or "0"
    return {code_form(prefix) + plain, plain}


def unread_pieces(code: str) -> list[tuple[str, str, str]]:
    """Field, kind and piece for each encrypted number that was perhaps typed, whole: a part of one finds nobody."""
    return [(field, kind, code_form(code)) for field, kind in UNREAD.items()]


def email_form(address: str) -> str:
    return address.strip().casefold()
