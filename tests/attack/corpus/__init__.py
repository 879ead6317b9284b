"""Strings that attack, and sentences that only look like it. One to a line; `# name` begins a group."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

FOLDER = Path(__file__).parent


def attacks() -> dict[str, list[str]]:
    """Group -> strings, at least 300 in all."""
    groups: dict[str, list[str]] = {}
    for line in (FOLDER / "attacks.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and line[2:].isalpha():
            group = groups.setdefault(line[2:], [])
        else:
            group.append(line)
    return groups


def clinical_sentences() -> list[str]:
    """At least 200, as doctors and receptionists write them."""
    return (FOLDER / "clinical.txt").read_text(encoding="utf-8").splitlines()


def agents() -> list[str]:
    """What browsers, libraries and machines call themselves."""
    return (FOLDER / "agents.txt").read_text(encoding="utf-8").splitlines()


def spellings(attack: str) -> Iterator[str]:
    """The string as it is, and as it is sent to slip past a filter."""
    yield attack
    yield quote(attack, safe="")
    yield quote(quote(attack, safe=""), safe="")
    yield "".join(f"%{byte:02x}" for byte in attack.encode())
    yield "".join(character.upper() if i % 2 else character.lower() for i, character in enumerate(attack))
