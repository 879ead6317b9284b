"""Recovery codes: ten words for the day on which the phone is gone. Kept as digests; shown once."""

import hashlib
import secrets

COUNT, LENGTH = 10, 10
LETTERS = "abcdefghjkmnpqrstvwxyz23456789"  # nothing that looks like something else


def new_codes() -> list[str]:
    """Ten codes of 49 bits, written in two halves."""
    return ["-".join("".join(secrets.choice(LETTERS) for _ in range(LENGTH // 2)) for _ in range(2)) for _ in range(COUNT)]


def digest(code: str) -> str:
    """As it is kept: dashes, spaces and capitals don't count."""
    letters = "".join(letter for letter in code.lower() if letter in LETTERS)
    return hashlib.sha256(f"hms recovery code {letters}".encode()).hexdigest()


def looks_like_one(code: str) -> bool:
    return len([letter for letter in code.lower() if letter in LETTERS]) == LENGTH
