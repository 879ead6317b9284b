"""Plain text: UTF-8 without what no person types."""

import unicodedata

from core.uploads.rules.kinds import Refused

LINE_CHARACTERS = "\t\n\r\f"


def clean_plain(content: bytes) -> bytes:
    """The text as it came. Raises Refused."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("unsupported_type" if b"\x00" in content else "not_utf8") from error
    if not text.isascii() or not text.isprintable():
        for character in set(text):
            if unicodedata.category(character) == "Cc" and character not in LINE_CHARACTERS:
                raise Refused("unsupported_type")
    return content
