"""A name under which a file may be saved on any system, and which doesn't pretend to be another kind of file."""

import re
import unicodedata

from core.uploads.rules.kinds import Kind

MOST_CHARACTERS = 120
FORBIDDEN = re.compile(r'[<>:"|?*%]')
RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$", re.I)  # devices on Windows
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}  # controls, also those that turn the direction of writing, and what is no character
NAMELESS = "document"


def safe_name(given: str, kind: Kind) -> str:
    """The name as it was given, in every script, without folders, without what can't be seen, and ending as its kind does."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    seen = "".join(" " if c.isspace() else c for c in last if c.isspace() or unicodedata.category(c) not in UNSEEN)
    stem, dot, ending = FORBIDDEN.sub("_", seen).rpartition(".")
    if not dot or ending.lower() not in kind.extensions:
        stem, ending = f"{stem}{dot}{ending}", kind.extensions[0]
    stem = re.sub(r"\s+", " ", stem).strip(" .")[: MOST_CHARACTERS - len(ending) - 1].strip(" .")
    if not stem or RESERVED.match(stem.partition(".")[0]):
        stem = f"{NAMELESS} {stem}".strip()
    return f"{stem}.{ending.lower()}"
