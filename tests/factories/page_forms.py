"""The forms of a page, read from its HTML as a browser would."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID_OF_VALUE = {"submit", "button", "reset", "image", "file"}


@dataclass
class PageForm:
    """One form that posts: where to, and what a browser would send if nobody touched it."""

    action: str
    values: dict[str, list[str]] = field(default_factory=dict)

    def sent_with(self, name: str, value: str) -> dict[str, Any]:
        return {**self.values, name: value}


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.forms: list[PageForm] = []
        self.form: PageForm | None = None
        self.select: str | None = None
        self.textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self.form = PageForm(given.get("action") or self.address)
            self.forms.append(self.form)
        elif self.form is not None:
            self._field(tag, given, dict(attrs))

    def _field(self, tag: str, given: dict[str, str], raw: dict[str, str | None]) -> None:
        assert self.form is not None
        name = given.get("name", "")
        if tag == "select":
            self.select = name
            self.form.values.setdefault(name, [])
        elif tag == "option" and self.select and "selected" in raw:
            self.form.values[self.select].append(given.get("value", ""))
        elif tag == "textarea" and name:
            self.textarea = name
            self.form.values[name] = [""]
        elif tag == "input" and name and given.get("type", "text") not in VOID_OF_VALUE:
            values = self.form.values.setdefault(name, [])
            if given.get("type") not in ("radio", "checkbox"):
                values.append(given.get("value", ""))
            elif "checked" in raw:
                values.append(given.get("value", "on"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None
        elif tag == "select":
            self.select = None
        elif tag == "textarea" and self.textarea and self.form is not None:
            typed = self.form.values[self.textarea]
            typed[0] = typed[0].removeprefix("\n")  # the one behind the tag is no content
            self.textarea = None

    def handle_data(self, data: str) -> None:
        if self.textarea and self.form is not None:
            self.form.values[self.textarea][0] += data


def forms_of(html: str, address: str) -> list[PageForm]:
    reader = _Reader(address)
    reader.feed(html)
    return reader.forms
