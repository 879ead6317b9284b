"""The whole of the rules for one file: from its bytes to its kind and the bytes that are kept."""

from core.uploads.rules.archives import is_archive
from core.uploads.rules.images import clean_image
from core.uploads.rules.kinds import PDF, TEXT, ZIP, Kind, Refused, signature_of
from core.uploads.rules.office import clean_office
from core.uploads.rules.pdf import clean_pdf
from core.uploads.rules.plain import clean_plain


def inspect(content: bytes) -> tuple[Kind, bytes]:
    """What it is, and what is kept of it: pictures are written anew, all else stays as it came. Raises Refused."""
    kind = signature_of(content)
    if kind == ZIP:
        return clean_office(content)
    if not isinstance(kind, Kind):
        if is_archive(content):
            raise Refused("archive")
        return TEXT, clean_plain(content)
    if kind is PDF:
        return PDF, clean_pdf(content)
    return kind, clean_image(content, kind)
