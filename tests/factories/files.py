"""Files as people bring them, good and bad, made on the spot: none is kept among the tests, where a scanner would find it."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, TextStringObject

TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
ODF = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
ODF += 'xmlns:script="urn:oasis:names:tc:opendocument:xmlns:script:1.0" xmlns:xlink="http://www.w3.org/1999/xlink" '
ODF += 'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"'
ODT_TYPE = "application/vnd.oasis.opendocument.text"


# --- Pictures ----------------------------------------------------------------------------------------------------------------
def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **saving: Any) -> bytes:
    """Left half one colour, right half another."""
    made = Image.new(mode, size)
    if mode in ("RGB", "RGBA"):
        made.paste((200, 30, 30), (0, 0, size[0] // 2, size[1]))
        made.paste((30, 30, 200), (size[0] // 2, 0, size[0], size[1]))
    out = BytesIO()
    made.save(out, kind, **saving)
    return out.getvalue()


def photograph() -> bytes:
    """As a phone writes it: lying on its side, with the place where it was taken, and a name."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    exif[0x010E] = "Secret Garden"
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 30.0, 0.0), 3: "W", 4: (0.0, 7.0, 0.0)})
    return picture("JPEG", exif=exif, comment=b"Secret Comment")


def moving(kind: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 90, 180)]
    out = BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


def scan(pages: int) -> bytes:
    made = [Image.new("1", (20, 30), number % 2) for number in range(pages)]
    out = BytesIO()
    made[0].save(out, "TIFF", save_all=True, append_images=made[1:])
    return out.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A small file that says it is a large picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\x00" * 1000)) + chunk(b"IEND", b"")


# --- PDF ---------------------------------------------------------------------------------------------------------------------
def pdf(change: Callable[[PdfWriter], Any] | None = None) -> bytes:
    """One empty page, changed."""
    writer = PdfWriter()
    writer.add_blank_page(width=200, height=200)
    if change:
        change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def dictionary(**entries: Any) -> DictionaryObject:
    """`S="/Launch"` is a name, other text a string."""
    made = DictionaryObject()
    for name, value in entries.items():
        if isinstance(value, str):
            value = NameObject(value) if value.startswith("/") else TextStringObject(value)
        made[NameObject(f"/{name}")] = value
    return made


def opening(action: DictionaryObject) -> Callable[[PdfWriter], Any]:
    return lambda writer: writer.root_object.__setitem__(NameObject("/OpenAction"), writer._add_object(action))


def at_root(name: str, value: Any) -> Callable[[PdfWriter], Any]:
    return lambda writer: writer.root_object.__setitem__(NameObject(name), value)


def on_page(name: str, value: Any) -> Callable[[PdfWriter], Any]:
    return lambda writer: writer.pages[0].__setitem__(NameObject(name), value)


def annotated(annotation: DictionaryObject) -> Callable[[PdfWriter], Any]:
    return lambda writer: on_page("/Annots", ArrayObject([writer._add_object(annotation)]))(writer)


def with_stream(**entries: Any) -> Callable[[PdfWriter], Any]:
    """A stream that the root names, with these entries beside its length."""

    def add(writer: PdfWriter) -> None:
        stream = DecodedStreamObject()
        stream.update(dictionary(**entries))
        stream.set_data(b"content")
        at_root("/Extra", writer._add_object(stream))(writer)

    return add


def hidden_in_an_object_stream(inner: bytes) -> bytes:
    """A PDF whose table of contents is a stream, and whose object 4 lies packed inside of another."""
    parts, places = [b"%PDF-1.7\n"], {}

    def add(number: int, body: bytes) -> None:
        places[number] = sum(map(len, parts))
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    add(1, b"<</Type/Catalog/Pages 2 0 R/Extra 4 0 R>>")
    add(2, b"<</Type/Pages/Kids[3 0 R]/Count 1>>")
    add(3, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>")
    packed = zlib.compress(b"4 0 " + inner)
    add(5, b"<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream" % (len(packed), packed))
    start = sum(map(len, parts))
    places[6] = start
    rows = [struct.pack(">BIH", 0, 0, 65535)]
    for number in range(1, 7):
        rows.append(struct.pack(">BIH", 2, 5, 0) if number == 4 else struct.pack(">BIH", 1, places[number], 0))
    table = zlib.compress(b"".join(rows))
    head = b"<</Type/XRef/Size 7/W[1 4 2]/Root 1 0 R/Filter/FlateDecode/Length %d>>" % len(table)
    parts.append(b"6 0 obj\n%s\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % (head, table, start))
    return b"".join(parts)


# --- Office ------------------------------------------------------------------------------------------------------------------
def zipped(entries: dict[str, bytes | str], **options: Any) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as package:
        for name, content in entries.items():
            package.writestr(name, content)
    return out.getvalue()


def relationship(kind: str, target: str, *, outside: bool = False) -> str:
    mode = ' TargetMode="External"' if outside else ""
    return f'<Relationships xmlns="{RELS}"><Relationship Id="r1" Type="{KINDS}/{kind}" Target="{target}"{mode}/></Relationships>'


def docx(body: str = "<w:p><w:r><w:t>Dear colleague</w:t></w:r></w:p>", types: str = "", **more: bytes | str) -> bytes:
    """`more`: further entries, `__` for a slash and `_dot_` for a dot."""
    entries: dict[str, bytes | str] = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}"><Default Extension="xml" ContentType="application/xml"/>{types}</Types>',
        "_rels/.rels": relationship("officeDocument", "word/document.xml"),
        "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
    }
    return zipped(entries | {name.replace("__", "/").replace("_dot_", "."): content for name, content in more.items()})


def xlsx(cell: str = "<c><v>1</v></c>", **more: bytes | str) -> bytes:
    entries: dict[str, bytes | str] = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}"/>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}"/>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData><row>{cell}</row></sheetData></worksheet>',
    }
    return zipped(entries | {name.replace("__", "/").replace("_dot_", "."): content for name, content in more.items()})


def odt(body: str = "<text:p>Dear colleague</text:p>", head: str = "<office:scripts/>", **more: bytes | str) -> bytes:
    entries: dict[str, bytes | str] = {
        "mimetype": ODT_TYPE,
        "content.xml": f"<office:document-content {ODF}>{head}<office:body>{body}</office:body></office:document-content>",
        "META-INF/manifest.xml": '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
    }
    return zipped(entries | {name.replace("__", "/").replace("_dot_", "."): content for name, content in more.items()})


def instruction(*pieces: str) -> str:
    """A field of Word, its instruction cut into pieces as Word may."""
    return "".join(f"<w:r><w:instrText>{piece}</w:instrText></w:r>" for piece in pieces)


def field(inner: str) -> str:
    """A field of Word, with its beginning and its end."""
    return f'<w:r><w:fldChar w:fldCharType="begin"/></w:r>{inner}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
