"""The kinds of file that are taken, told by their content: what a name or a browser says counts for nothing."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """`extensions`: how names of this kind may end; a name that ends otherwise gets the first."""

    content_type: str
    extensions: tuple[str, ...]


PDF = Kind("application/pdf", ("pdf",))
PNG = Kind("image/png", ("png",))
JPEG = Kind("image/jpeg", ("jpg", "jpeg", "jpe", "jfif"))
WEBP = Kind("image/webp", ("webp",))
TIFF = Kind("image/tiff", ("tif", "tiff"))
TEXT = Kind("text/plain", ("txt", "text", "md", "log"))  # csv is none: spreadsheets run what stands in its cells
DOCX = Kind("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ("docx",))
XLSX = Kind("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ("xlsx",))
ODT = Kind("application/vnd.oasis.opendocument.text", ("odt",))
KINDS = {kind.content_type: kind for kind in (PDF, PNG, JPEG, WEBP, TIFF, TEXT, DOCX, XLSX, ODT)}

MOST_KEPT = 16 * 1024 * 1024  # bytes; a picture made anew may be larger than it came, within reason
ZIP = b"PK\x03\x04"
IMAGES: dict[Kind, tuple[bytes, ...]] = {
    PNG: (b"\x89PNG\r\n\x1a\n",),
    JPEG: (b"\xff\xd8\xff",),
    TIFF: (b"II*\x00", b"MM\x00*"),
}
ARCHIVES = (
    b"PK\x05\x06", b"PK\x07\x08", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"(\xb5/\xfd",
    b"MSCF", b"\x1f\x9d", b"!<arch>", b"LZIP", b"\x04\x22\x4d\x18", b"xar!", b"070701", b"070707",
)  # fmt: skip
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Office before 2007, and Office files with a password
PROGRAMS = (
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\x00asm",
    b"dex\n",
)
MARKUP = re.compile(
    rb"<\s*(!doctype|\?xml|\?php|html|head|body|svg|math|script|style|iframe|frame|object|embed|applet|link|meta|base)\b", re.I
)
MARKUP_WITHIN = 64 * 1024  # bytes from the beginning in which a text must not look like a page
# The test file of the makers of virus scanners, in two pieces so that none of them finds it here.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Refused(Exception):
    """The file is not let in; `code` says why, in words of core.uploads.words."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def signature_of(content: bytes) -> Kind | bytes:
    """The kind that the first bytes announce, or ZIP for what may be an Office file, or b"" for what may be text.

    Raises Refused for what is known and not taken.
    """
    if not content:
        raise Refused("empty")
    if EICAR in content[:256]:
        raise Refused("virus")
    if content.startswith(b"%PDF-"):
        return PDF
    for kind, beginnings in IMAGES.items():
        if content.startswith(beginnings):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    if content.startswith(ZIP):
        return ZIP
    _refuse_known(content)
    return b""


def _refuse_known(content: bytes) -> None:
    if content.startswith(ARCHIVES) or content[257:262] == b"ustar":
        raise Refused("archive")
    if content.startswith(COMPOUND):
        raise Refused("old_office")
    if content.startswith(PROGRAMS) or content.startswith(b"#!"):
        raise Refused("program")
    if content[128:132] == b"DICM":
        raise Refused("dicom")
    if content.startswith((b"{\\rtf", b"GIF8", b"BM")) or content[4:8] == b"ftyp":
        raise Refused("unsupported_type")
    if MARKUP.search(content[:MARKUP_WITHIN].replace(b"\x00", b"")):  # without the zeros of UTF-16
        raise Refused("markup")
