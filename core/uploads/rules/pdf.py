"""A PDF is taken when nothing in it acts by itself: no script, no program, no file within, no form of the XFA kind.

Looked at twice, because readers differ in how they find a document's objects: every object that the table of contents names,
those inside of object streams too, and beside it the bare text between the streams, for readers that mend a broken table.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    StreamObject,
    TextStringObject,
)

from core.uploads.rules.archives import is_archive
from core.uploads.rules.kinds import Refused

SCRIPTS = {"/JS", "/JavaScript", "/AA", "/RichMedia", "/RichMediaContent", "/RichMediaSettings", "/Rendition"}
FILES = {"/EmbeddedFiles", "/EF", "/AF", "/RF"}
FORMS = {"/XFA"}
# Actions that begin something beyond turning to a page or following a link that somebody clicks.
ACTIONS = {
    "/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToR", "/GoToE", "/Rendition", "/Movie", "/Sound",
    "/RichMediaExecute", "/ResetForm", "/SetOCGState", "/Trans", "/GoTo3DView", "/GoToDp",
}  # fmt: skip
HARMLESS_AT_OPENING = {"/GoTo"}
# Of a stream: that its content lies elsewhere, or is another file's page.
ELSEWHERE = {"/F", "/FFilter", "/FDecodeParms", "/Ref", "/OPI"}
ANNOTATIONS = {"/FileAttachment", "/RichMedia", "/Movie", "/Screen", "/3D", "/Sound"}
STREAM_BEGINS = re.compile(rb"stream\r?\n")
STREAM_ENDS = b"endstream"
BY_TEXT = re.compile(
    rb"/(JavaScript|JS|Launch|EmbeddedFiles?|XFA|RichMedia|SubmitForm|ImportData|GoToE|GoToR|AA)(?=[\s/<>\[\]()%]|$)"
)
ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
MOST_OBJECTS = 200_000
MOST_AFTER_END = 1024  # bytes behind the last %%EOF, as the readers allow, and only white space


def clean_pdf(content: bytes) -> bytes:
    """The document as it came, since a signature over it must stay valid. Raises Refused."""
    _check_ends(content)
    try:
        reader = PdfReader(BytesIO(content), strict=False)
        if reader.is_encrypted:
            raise Refused("password")
        _check_objects(reader)
        if not len(reader.pages):
            raise Refused("unreadable")
    except Refused:
        raise
    except (
        PyPdfError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        AssertionError,
        OSError,
        RecursionError,
    ) as error:
        raise Refused("unreadable") from error
    _check_text(content)
    return content


def _check_ends(content: bytes) -> None:
    """Nothing before the document, nothing behind it."""
    end = content.rfind(b"%%EOF")
    if end < 0:
        raise Refused("unreadable")
    behind = content[end + 5 :]
    if len(behind) > MOST_AFTER_END or behind.strip(b"\x00\t\n\r\f "):
        raise Refused("polyglot")
    if is_archive(content):
        raise Refused("polyglot")


def _check_objects(reader: PdfReader) -> None:
    places = [(number, generation) for generation, table in reader.xref.items() for number in table]
    places += [(number, 0) for number in reader.xref_objStm]
    if len(places) > MOST_OBJECTS:
        raise Refused("too_complex")
    for number, generation in places:
        if number:
            for one in _within(reader.get_object(IndirectObject(number, generation, reader))):
                _check_dictionary(one)
    _check_dictionary(reader.trailer)


def _within(thing: Any) -> Iterator[DictionaryObject]:
    """The dictionaries of one object, not those it refers to."""
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        if isinstance(one, DictionaryObject):
            yield one
            waiting += list(dict.values(one))
        elif isinstance(one, ArrayObject):
            waiting += list(list.__iter__(one))


def _check_dictionary(one: DictionaryObject) -> None:
    names = set(one)
    if names & SCRIPTS:
        raise Refused("active_pdf")
    if names & FILES or _value(one, "/Type") == "/EmbeddedFile":
        raise Refused("embedded_files")
    if names & FORMS:
        raise Refused("active_pdf")
    if _value(one, "/S") in ACTIONS or _value(one, "/Subtype") in ANNOTATIONS:
        raise Refused("active_pdf")
    opening = _value(one, "/OpenAction")
    if isinstance(opening, DictionaryObject) and (_value(opening, "/S") not in HARMLESS_AT_OPENING or "/Next" in opening):
        raise Refused("active_pdf")
    if (isinstance(one, StreamObject) and names & ELSEWHERE) or _names_a_file(one):
        raise Refused("reaches_out")


def _names_a_file(one: DictionaryObject) -> bool:
    """Does it say where another file is? The same name stands for a number in annotations."""
    value = one.get("/F")
    if isinstance(value, IndirectObject):
        value = value.get_object()
    return "/UF" in one or isinstance(value, DictionaryObject | TextStringObject | ByteStringObject)


def _value(one: DictionaryObject, name: str) -> Any:
    """What stands there, also when it is only referred to; None for something that can't be a name."""
    value = one.get(name)
    if isinstance(value, IndirectObject):
        value = value.get_object()
    return value if isinstance(value, DictionaryObject | NameObject) else None


def _check_text(content: bytes) -> None:
    between = ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), b" ".join(_between_streams(content)))
    if found := BY_TEXT.search(between):
        raise Refused("embedded_files" if found[1].startswith(b"Embedded") else "active_pdf")


def _between_streams(content: bytes) -> Iterator[bytes]:
    """What stands before, between and behind the streams. Every byte is looked at twice at most, whatever is in the file."""
    at = 0
    while begins := STREAM_BEGINS.search(content, at):
        ends = content.find(STREAM_ENDS, begins.end())
        if ends < 0:
            break
        yield content[at : begins.start()]
        at = ends + len(STREAM_ENDS)
    yield content[at:]
