"""The XML inside of Office files, read without following anything: a document type, and with it every entity, is refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from core.uploads.rules.kinds import Refused

MOST_ELEMENTS = 2_000_000
NAMED = (".xml", ".rels", ".rdf", ".vml")
BEFORE = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"  # marks of the byte order, the zeros of UTF-16, and space


@dataclass(slots=True)
class Element:
    """Local name, attributes by local name, and the text directly within."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    pieces: list[str] = field(default_factory=list)


def is_markup(name: str, content: bytes) -> bool:
    """May a program read this part as XML? Its name says so, or its beginning: what refers to a part may call it XML anyhow."""
    start = content.lstrip(BEFORE)
    return start.startswith(b"<") or (bool(start) and name.lower().endswith(NAMED))


def elements_of(content: bytes, wanted: frozenset[str], telling: frozenset[str] = frozenset()) -> Iterator[Element]:
    """The elements whose local name is wanted, or that have a telling attribute; in the order in which they end. Raises Refused.

    Names are compared, and handed out, in lower case.
    """
    found: list[Element] = []
    open_ones: list[Element | None] = []
    count = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MOST_ELEMENTS:
            raise Refused("too_complex")
        local, given = _local(name).lower(), {_local(key).lower(): value for key, value in attributes.items()}
        open_ones.append(Element(local, given) if local in wanted or telling & given.keys() else None)

    def text(piece: str) -> None:
        if open_ones and (one := open_ones[-1]) is not None:
            one.pieces.append(piece)

    def end(name: str) -> None:
        if (one := open_ones.pop()) is not None:
            one.text = "".join(one.pieces)
            found.append(one)

    def doctype(*_: object) -> None:
        raise Refused("active_office")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError, OSError) as error:  # OSError: an encoding that would have to be loaded
        raise Refused("unreadable") from error
    yield from found


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
