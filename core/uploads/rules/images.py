"""Pictures are read and written anew: what goes on is the pixels and nothing that was told beside or behind them."""

from io import BytesIO
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from core.uploads.rules.kinds import JPEG, MOST_KEPT, PNG, TIFF, WEBP, Kind, Refused

FORMATS: dict[Kind, tuple[str, ...]] = {PNG: ("PNG",), JPEG: ("JPEG", "MPO"), WEBP: ("WEBP",), TIFF: ("TIFF",)}
# How each is written; where there is more than one way, the next is for pictures that the one before makes too large.
WRITTEN: dict[Kind, tuple[dict[str, object], ...]] = {
    PNG: ({"format": "PNG"},),
    JPEG: (
        {"format": "JPEG", "quality": 92, "subsampling": 0},
        {"format": "JPEG", "quality": 85, "subsampling": 2},
        {"format": "JPEG", "quality": 70, "subsampling": 2},
    ),
    WEBP: ({"format": "WEBP", "quality": 92}, {"format": "WEBP", "quality": 75}),
    TIFF: ({"format": "TIFF", "compression": "tiff_adobe_deflate"},),
}
KEPT_MODES = {
    PNG: {"1", "L", "LA", "RGB", "RGBA", "I;16"},
    JPEG: {"L", "RGB"},
    WEBP: {"RGB", "RGBA"},
    TIFF: {"1", "L", "RGB", "I;16"},
}
MOST_PIXELS = 50_000_000  # in all pages together: the largest cameras of phones; 150 MB in memory as RGB
MOST_PAGES = 100  # of a fax or a scan
Image.MAX_IMAGE_PIXELS = None  # ours is stricter, and asked before anything is unpacked


def clean_image(content: bytes, kind: Kind) -> bytes:
    """The picture encoded anew, turned as its orientation said. JPEG and WebP lose a little by it. Raises Refused."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS[kind]) as picture:
            return _written(_pages(picture, kind), kind)
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        KeyError,
        TypeError,
        Image.DecompressionBombError,
    ) as error:
        raise Refused("unreadable") from error


class _TooLarge(Exception):
    """More was written than is kept."""


class _Kept(BytesIO):
    """Holds what is kept, and no more in memory."""

    def write(self, piece: Any, /) -> int:
        if self.tell() + memoryview(piece).nbytes > MOST_KEPT:
            raise _TooLarge
        return super().write(piece)


def _written(pages: list[Image.Image], kind: Kind) -> bytes:
    """Made anew, in the first way in which it is small enough. Raises Refused."""
    more = {"save_all": True, "append_images": pages[1:]} if len(pages) > 1 else {}
    for way in WRITTEN[kind]:
        made = _Kept()
        try:
            pages[0].save(made, **way, **more)  # type: ignore[arg-type]
        except _TooLarge:
            continue
        return made.getvalue()
    raise Refused("too_large_anew")


def _pages(picture: Image.Image, kind: Kind) -> list[Image.Image]:
    count = getattr(picture, "n_frames", 1)
    if kind is not TIFF:
        if count > 1 and picture.format != "MPO":  # a phone's MPO holds previews and depths behind the photograph
            raise Refused("animated")
        count = 1
    if count > MOST_PAGES:
        raise Refused("too_many_pages")
    pixels, pages = 0, []
    for number in range(count):
        picture.seek(number)
        pixels += picture.width * picture.height
        if pixels > MOST_PIXELS:
            raise Refused("too_many_pixels")
        pages.append(_bare(ImageOps.exif_transpose(picture), KEPT_MODES[kind]))
    return pages


def _bare(picture: Image.Image, modes: set[str]) -> Image.Image:
    """The same pixels in a new picture, which has never heard of metadata."""
    if picture.mode not in modes:
        see_through = "transparency" in picture.info or picture.mode in ("PA", "LA", "La", "RGBa", "RGBA")
        picture = picture.convert("RGBA" if see_through and "RGBA" in modes else "RGB")
    bare = Image.new(picture.mode, picture.size)
    bare.paste(picture)
    return bare
