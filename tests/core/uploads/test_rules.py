"""What is let in, what is not, and why."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfWriter

from core.uploads.rules import archives, images
from core.uploads.rules.inspect import inspect
from core.uploads.rules.kinds import Refused
from core.uploads.words import REASONS
from tests.core.uploads.tables import BAD_OFFICE, BAD_PDF, BAD_PICTURES, BAD_REST, GOOD
from tests.factories import files
from tests.factories.files import docx, picture

BAD = [
    pytest.param(content, code, id=f"{group}: {name}")
    for group, table in (("pdf", BAD_PDF), ("picture", BAD_PICTURES), ("office", BAD_OFFICE), ("rest", BAD_REST))
    for name, (content, code) in table.items()
]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_is_let_in_as_what_it_is(name: str) -> None:
    content, expected = GOOD[name]
    kind, kept = inspect(content)
    assert kind.content_type == expected
    assert kept == content or expected.startswith("image/")
    assert inspect(kept)[0] == kind  # what is kept would be let in again


@pytest.mark.parametrize(("content", "code"), BAD)
def test_a_bad_file_is_refused_and_told_why(content: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        inspect(content)
    assert refused.value.code == code


def test_every_reason_has_its_words_and_is_tried() -> None:
    tried = {str(parameters.values[1]) for parameters in BAD}
    elsewhere = {"required", "too_complex", "too_large_anew"}  # told by the service, by the inspector that was stopped; below
    assert tried | elsewhere == set(REASONS)


@pytest.mark.parametrize("content", [content for content, kind in GOOD.values() if kind.startswith("image/")])
def test_what_is_hidden_in_a_picture_is_gone(content: bytes) -> None:
    _kind, kept = inspect(content + b"<script>alert('Secret')</script>" + files.zipped({"Secret": "Secret"}))
    assert b"Secret" not in kept and b"<script>" not in kept and not archives.is_archive(kept)
    with Image.open(BytesIO(kept)) as picture:
        assert not picture.getexif().get_ifd(0x8825)
        assert not {"exif", "comment", "icc_profile", "xmp"} & set(picture.info)


def test_a_photograph_is_turned_upright() -> None:
    _kind, kept = inspect(files.photograph())
    with Image.open(BytesIO(kept)) as picture:
        assert picture.size == (40, 60)
        assert picture.getpixel((20, 5))[0] > 150 and picture.getpixel((20, 55))[2] > 150  # what was left is on top
        assert 0x0112 not in picture.getexif()


def test_pixels_and_pages_stay() -> None:
    with Image.open(BytesIO(inspect(picture())[1])) as after, Image.open(BytesIO(picture())) as before:
        assert after.tobytes() == before.tobytes()
    with Image.open(BytesIO(inspect(files.scan(3))[1])) as pages:
        assert pages.n_frames == 3


def noise(kind: str, mode: str = "RGB", **saving: Any) -> bytes:
    """A picture that packs badly, in which every pixel is another."""
    plane = Image.effect_noise((200, 200), 100)
    out = BytesIO()
    Image.merge(mode, [plane.rotate(90 * number) for number in range(len(mode))]).save(out, kind, **saving)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("WEBP", "RGB")])
def test_a_picture_that_would_grow_is_packed_more_tightly(kind: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = noise(kind, mode, quality=20)
    large = len(inspect(content)[1])
    assert large > 1.5 * len(content)
    monkeypatch.setattr(images, "MOST_KEPT", large - 1)
    assert 0 < len(inspect(content)[1]) < large


@pytest.mark.parametrize(
    "content",
    [noise("PNG"), noise("JPEG"), noise("WEBP"), noise("TIFF"), files.scan(3)],
    ids=["PNG", "JPEG", "WEBP", "TIFF", "PDF"],
)
def test_a_picture_that_stays_too_large_is_refused(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MOST_KEPT", 300)
    with pytest.raises(Refused, match="too_large_anew"):
        inspect(content)


def test_a_zip_that_lies_about_its_size_is_stopped() -> None:
    content = bytearray(docx(word__bomb_dot_txt=b"\x00" * (3 * archives.RATIO_FROM)))
    told = (3 * archives.RATIO_FROM).to_bytes(4, "little")
    while told in content:
        at = content.index(told)
        content[at : at + 4] = (100).to_bytes(4, "little")
    with pytest.raises(Refused) as refused:
        inspect(bytes(content))
    assert refused.value.code in ("bomb", "unreadable")


def test_a_document_that_ends_before_its_pages_is_no_document() -> None:
    writer = PdfWriter()
    out = BytesIO()
    writer.write(out)
    with pytest.raises(Refused, match="unreadable"):
        inspect(out.getvalue())
