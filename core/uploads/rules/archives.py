"""A zip's table of contents and its entries, read with limits: sizes that a zip states about itself may be lies."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

from core.uploads.rules.kinds import Refused

MOST_ENTRIES = 2000
MOST_UNPACKED = 100 * 1024 * 1024  # bytes in all
MOST_RATIO = 200  # unpacked to packed, of an entry larger than RATIO_FROM; XML of real documents stays below 60
RATIO_FROM = 1024 * 1024
PIECE = 256 * 1024
ENCRYPTED = 0x1
UNSAFE_NAME = re.compile(r"(^|/)\.\.(/|$)|^/|\\|^[A-Za-z]:|[\x00-\x1f]")


def is_archive(content: bytes) -> bool:
    """Would a program for zip files open it? They look for the end, so it may begin as anything."""
    return zipfile.is_zipfile(BytesIO(content))


class Package:
    """The zip behind an Office document, unpacked piece by piece and never beyond the limits. Raises Refused."""

    def __init__(self, content: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(content))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise Refused("unreadable") from error
        self.entries = [one for one in self._zip.infolist() if not one.is_dir()]
        self.names = {one.filename for one in self.entries}
        self._left = MOST_UNPACKED
        self._check(content)

    def _check(self, content: bytes) -> None:
        if not self.entries:
            raise Refused("archive")
        if len(self.entries) > MOST_ENTRIES or sum(one.file_size for one in self.entries) > MOST_UNPACKED:
            raise Refused("bomb")
        if len(self.names) != len(self.entries) or any(UNSAFE_NAME.search(name) for name in self.names):
            raise Refused("unreadable")
        if any(one.flag_bits & ENCRYPTED for one in self.entries):
            raise Refused("password")
        if min(one.header_offset for one in self.entries) or self._zip.comment or content.rfind(b"PK\x05\x06") + 22 != len(content):
            raise Refused("polyglot")

    def each(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of every entry."""
        for entry in self.entries:
            yield entry.filename, self._unpacked(entry)

    def _unpacked(self, entry: zipfile.ZipInfo) -> bytes:
        found = bytearray()
        try:
            with self._zip.open(entry) as file:
                while piece := file.read(PIECE):
                    found += piece
                    if len(found) > self._left or (
                        len(found) > RATIO_FROM and len(found) > MOST_RATIO * max(1, entry.compress_size)
                    ):
                        raise Refused("bomb")
        except (zipfile.BadZipFile, zlib.error, ValueError, OSError, NotImplementedError, EOFError, RuntimeError) as error:
            raise Refused("unreadable") from error
        self._left -= len(found)
        return bytes(found)
