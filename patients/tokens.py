"""Keyed search tokens: how a patient is found by pieces of name, numbers and birth date with one kind of index.

A token is a keyed hash of a kind and a piece, cut to 64 bits; the key is the clinic's own, so that tokens of two clinics
can't be compared. A chance match of two pieces is possible and harmless: what is found is compared with the record itself.
"""

import hashlib
from collections.abc import Iterable
from datetime import date
from typing import Protocol
from uuid import UUID

import jellyfish

from core.security.crypto import search_key
from patients.names import APOSTROPHES, code_form, digits_of, name_parts, one_letter_less

SHORTEST_PREFIX, LONGEST_PREFIX = 3, 8
PHONE_ENDINGS = (10, 7, 4)
LONGEST_WITH_SLIPS = 24  # letters of a family name that are indexed for slips; longer ones only as a beginning

PREFIX, SOUND, SLIP, PHONE, RECORD, BIRTH, IDENTITY, EMAIL = "p", "s", "x", "t", "m", "b", "n", "e"


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
    mrn: str


def token(clinic_id: UUID, kind: str, piece: str) -> int:
    """A signed 64-bit number."""
    made = hashlib.blake2b(f"{kind}:{piece}".encode(), key=search_key(clinic_id), digest_size=8).digest()
    return int.from_bytes(made, signed=True)


def tokens_for(clinic_id: UUID, kind: str, pieces: Iterable[str]) -> list[int]:
    return sorted({token(clinic_id, kind, piece) for piece in pieces if piece})


def tokens_of(clinic_id: UUID, patient: Findable) -> set[int]:
    """All tokens of a patient; about 20 to 40."""
    return {token(clinic_id, kind, piece) for kind, piece in pieces_of(patient)}


def pieces_of(patient: Findable) -> set[tuple[str, str]]:
    """What the tokens are made of, in clear."""
    pieces = _name_pieces(patient)
    pieces |= {(RECORD, piece) for piece in record_pieces(patient.mrn)}
    pieces.add((BIRTH, patient.date_of_birth.isoformat()))
    for phone in (patient.phone, patient.phone_alt):
        pieces |= {(PHONE, ending) for ending in phone_endings(phone)}
    if patient.national_id:
        pieces.add((IDENTITY, code_form(patient.national_id)))
    if patient.email:
        pieces.add((EMAIL, email_form(patient.email)))
    return {(kind, piece) for kind, piece in pieces if piece}


def _name_pieces(patient: Findable) -> set[tuple[str, str]]:
    pieces: set[tuple[str, str]] = set()
    for name in (patient.given_name, patient.middle_name, patient.family_name, patient.preferred_name):
        for word in spellings(name):
            pieces |= {(PREFIX, start) for start in starts(word)}
            pieces.add((SOUND, sound(word)))
    later = name_parts(patient.given_name)[1:] + name_parts(patient.family_name)[1:]
    for word in later + name_parts(patient.middle_name) + name_parts(patient.preferred_name):
        # One or two letters of a leading word are found through the name's own index.
        pieces |= {(PREFIX, word[:1]), (PREFIX, word[:2])}
    for word in spellings(patient.family_name):
        pieces |= {(SLIP, variant) for variant in slips(word)}
    return pieces


def spellings(name: str) -> set[str]:
    """The words of a name, also run together (de la Cruz: delacruz) and, after an apostrophe, alone (O'Brien: brien)."""
    if name.isascii() and name.isalnum():
        return {name.lower()}
    words = name_parts(name)
    apart = name_parts("".join(" " if c in APOSTROPHES else c for c in name))
    return {*words, *(word for word in apart if len(word) >= SHORTEST_PREFIX), "".join(words)} - {""}


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


def email_form(address: str) -> str:
    return address.strip().casefold()
