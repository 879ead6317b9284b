"""A Word, Excel or Writer document is taken when nothing in it acts or reaches out: no macro, no control, no object, no link
that is followed by itself. Named after ECMA-376 and OASIS OpenDocument 1.3."""

import re
from collections.abc import Iterator

from core.uploads.rules.archives import Package
from core.uploads.rules.kinds import ARCHIVES, COMPOUND, DOCX, ODT, PROGRAMS, XLSX, ZIP, Kind, Refused
from core.uploads.rules.markup import Element, elements_of, is_markup

MACROS = re.compile(
    r"vba(project|data)|macrosheets?/|dialogsheets?/|activex|attachedtoolbars|customui|(^|/)(basic|scripts|dialogs)/|macrosignatures|"
    r"\.(bin|exe|dll|vbs?|js|jse|wsf?|hta|ps1|bat|cmd|scr|lnk|jar|class|py|sh|swf)$",
    re.I,
)
HARMLESS_BINARY = re.compile(r"^xl/printersettings/printersettings\d*\.bin$", re.I)
EMBEDDED = re.compile(r"(^|/)(embeddings|oleobjects?|afchunk)|^object(replacements?/|\s*\d+/)", re.I)
REACHING_OUT = re.compile(r"(^|/)(externallinks?/|connections\.xml$|querytables?/|websettings/frame)", re.I)
MACRO_TYPES = re.compile(
    r"macroenabled|macrosheet|dialogsheet|vbaproject|ms-office\.activex|ms-word\.attachedtoolbars|x-msmetafile-script", re.I
)
OBJECT_TYPES = re.compile(r"oleobject|\.package$|embeddedpackage", re.I)
MACRO_LINKS = re.compile(r"^(vba|wordvba|attachedtoolbars|extensibility$)|activex|macrosheet|dialogsheet|^control$")
REACHING_LINKS = {"connections", "querytable", "externallink", "externallinkpath"}
OUTSIDE = re.compile(r"\s*([\w.+-]+:|//|\\)")
LINK_TARGET = re.compile(r"^(https?://|mailto:|tel:|#)", re.I)
FIELDS = re.compile(r"\b(DDE|DDEAUTO|INCLUDETEXT|INCLUDEPICTURE|IMPORT|LINK|DATABASE|MACROBUTTON)\b", re.I)
# Also in quotes, which mean other things in names of sheets and columns than in texts: a text that speaks of it is refused too.
CALLS_OUT = re.compile(r"\|\s*('|\w+!)|\b(WEBSERVICE|IMAGE|RTD|CALL|REGISTER|REGISTER\.ID|EXEC|DDE)\s*\(", re.I)
FORMULAS = {"f", "formula", "formula1", "formula2", "definedname", "calculatedcolumnformula", "totalsrowformula"}
INSTRUCTIONS = {"instrtext", "delinstrtext"}
ODF_ACTS = {"event-listener", "plugin", "applet", "executable-event", "dde-connection", "dde-connection-decl", "dde-source"}
ODF_OBJECTS = {"object-ole", "floating-frame"}
OOXML = {"relationship", "default", "override", "fldchar", "fldsimple", "altchunk", "oleobject", "control", "ddelink"}
WANTED = frozenset(OOXML | FORMULAS | INSTRUCTIONS | ODF_ACTS | ODF_OBJECTS | {"section-source", "script", "encryption-data"})
LINKING = frozenset({"href"})


def clean_office(content: bytes) -> tuple[Kind, bytes]:
    """Which of the three it is, and the document as it came. Raises Refused; for every other zip with `archive`."""
    package = Package(content)
    kind = _kind_of(package)
    for name in package.names:
        _check_name(name)
    for name, part in package.each():
        _check_part(name, part, kind)
    return kind, content


def _kind_of(package: Package) -> Kind:
    names = package.names
    if "[Content_Types].xml" in names and "word/document.xml" in names:
        return DOCX
    if "[Content_Types].xml" in names and "xl/workbook.xml" in names:
        return XLSX
    if "mimetype" in names and "content.xml" in names:
        name, said = next(package.each())  # the format wants it first
        if name == "mimetype" and said.strip() == ODT.content_type.encode():
            return ODT
    if "[Content_Types].xml" in names or "mimetype" in names:
        raise Refused("unsupported_type")
    raise Refused("archive")


def _check_name(name: str) -> None:
    if MACROS.search(name) and not HARMLESS_BINARY.search(name):
        raise Refused("active_office")
    if EMBEDDED.search(name):
        raise Refused("embedded_files")
    if REACHING_OUT.search(name):
        raise Refused("reaches_out")


def _check_part(name: str, part: bytes, kind: Kind) -> None:
    if part.startswith((ZIP, *ARCHIVES, COMPOUND)) or part.startswith(PROGRAMS[1:]):
        raise Refused("embedded_files")
    if not is_markup(name, part):
        return
    fields = _Fields()
    for one in elements_of(part, WANTED, LINKING):
        (_check_odf if kind is ODT else _check_ooxml)(one)
        fields.add(one)
    if any(FIELDS.search(instruction) for instruction in fields.instructions()):
        raise Refused("reaches_out")


class _Fields:
    """The instructions of Word's fields, which lie in each other and may be cut into pieces at any place."""

    def __init__(self) -> None:
        self._open: list[list[str]] = [[]]
        self._ended: list[list[str]] = []
        self._pieces: list[str] = []

    def add(self, one: Element) -> None:
        if one.name in INSTRUCTIONS:
            self._open[-1].append(one.text)
            self._pieces.append(one.text)
        elif one.name == "fldsimple":
            self._pieces.append(one.attributes.get("instr", ""))
        elif one.name == "fldchar" and one.attributes.get("fldchartype") == "begin":
            self._open.append([])
        elif one.name == "fldchar" and one.attributes.get("fldchartype") == "end" and len(self._open) > 1:
            self._ended.append(self._open.pop())

    def instructions(self) -> Iterator[str]:
        """Each field's, put together; and all pieces, for documents that don't say where a field begins."""
        yield from ("".join(pieces) for pieces in self._ended + self._open)
        yield "".join(self._pieces)
        yield " ".join(self._pieces)


def _check_ooxml(one: Element) -> None:
    given = one.attributes
    if one.name in ("default", "override"):
        if MACRO_TYPES.search(given.get("contenttype", "")):
            raise Refused("active_office")
        if OBJECT_TYPES.search(given.get("contenttype", "")):
            raise Refused("embedded_files")
    elif one.name == "relationship":
        _check_relationship(given)
    elif one.name in ("oleobject", "altchunk"):
        raise Refused("embedded_files")
    elif one.name == "control":
        raise Refused("active_office")
    elif one.name == "ddelink" or (one.name in FORMULAS and CALLS_OUT.search(one.text)):
        raise Refused("reaches_out")


def _check_relationship(given: dict[str, str]) -> None:
    kind, target = given.get("type", "").rpartition("/")[2].lower(), given.get("target", "")
    if kind in ("oleobject", "package", "afchunk"):
        raise Refused("embedded_files")
    if MACRO_LINKS.search(kind):
        raise Refused("active_office")
    if kind in REACHING_LINKS:
        raise Refused("reaches_out")
    outside = given.get("targetmode", "").lower() == "external"
    if (outside and not (kind == "hyperlink" and LINK_TARGET.match(target))) or (not outside and OUTSIDE.match(target)):
        raise Refused("reaches_out")


def _check_odf(one: Element) -> None:
    if one.name in ODF_ACTS or (one.name == "script" and one.attributes):
        raise Refused("active_office")
    if one.name in ODF_OBJECTS:
        raise Refused("embedded_files")
    if one.name == "encryption-data":
        raise Refused("password")
    target = one.attributes.get("href", "")
    if one.name == "a":
        outside = bool(target) and not LINK_TARGET.match(target)
    else:
        outside = one.name == "section-source" or bool(OUTSIDE.match(target) or target.strip().startswith(("..", "/")))
    if outside:
        raise Refused("reaches_out")
