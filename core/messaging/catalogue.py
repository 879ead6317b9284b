"""What messages say: one folder of plain files for each language and template, filled in strictly.

`templates/messages/<language>/<template>/` holds `subject.txt`, `email.txt`, `email.html`, `sms.txt`, `whatsapp.txt`. A variable
stands in braces, `{day}`. A file that names one which its template does not declare, and a context that lacks one or brings
another, are errors: nothing goes out with a hole in it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from html import escape
from pathlib import Path
from string import Formatter
from typing import Any

from django.conf import settings

from core.messaging.models import Channel, Kind

DEFAULT_LANGUAGE = "en"
HIDDEN = "…"  # in place of a link, where a message is shown to others than its recipient
FILES = {
    Channel.EMAIL: ("subject.txt", "email.txt", "email.html"),
    Channel.SMS: ("sms.txt",),
    Channel.WHATSAPP: ("whatsapp.txt",),
}


class TemplateWrong(Exception):
    """A template, or what it was given, does not fit. The words name the template and the variable, never a value."""


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """`sample` declares the variables and what the preview puts in their places. `secret`: those that only the recipient may see.

    `parameters`: the order in which WhatsApp's approved template of the same name takes them.
    """

    name: str
    kind: Kind
    label: Any
    sample: Mapping[str, str]
    secret: frozenset[str] = frozenset()
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What one channel is to say. `template`, `language` and `parameters` are WhatsApp's, which takes no free words."""

    text: str
    subject: str = ""
    html: str = ""
    template: str = ""
    language: str = ""
    parameters: list[str] = field(default_factory=list)


_templates: dict[str, MessageTemplate] = {}


def register_template(template: MessageTemplate) -> None:
    """Called once, as HMS starts. Raises TemplateWrong for one whose files do not fit its declaration."""
    for language in languages_of(template.name):
        for files in FILES.values():
            for file in files:
                _fields(template, language, file)
    if undeclared := ({*template.secret, *template.parameters} - set(template.sample)):
        raise TemplateWrong(f"{template.name}: {', '.join(sorted(undeclared))} is not declared.")
    _templates[template.name] = template


def templates() -> list[MessageTemplate]:
    """All of them, by name."""
    return [_templates[name] for name in sorted(_templates)]


def template_of(name: str) -> MessageTemplate:
    """Raises TemplateWrong for an unknown one."""
    try:
        return _templates[name]
    except KeyError as error:
        raise TemplateWrong(f"There is no message template {name!r}.") from error


@lru_cache
def languages_of(name: str) -> tuple[str, ...]:
    """The languages in which there is such a template."""
    return tuple(sorted(folder.parent.name for folder in _root().glob(f"*/{name}") if folder.is_dir()))


def language_for(name: str, *wanted: str) -> str:
    """The first of the wanted language tags (BCP 47, empty ones are passed over) in which there is the template, also without its
    region; else English."""
    there = languages_of(name)
    for tag in wanted:
        for one in (tag.lower(), tag.lower().partition("-")[0]):
            if one in there:
                return one
    return DEFAULT_LANGUAGE


def render(name: str, channel: Channel, language: str, context: Mapping[str, str]) -> Content:
    """The template, filled in. Raises TemplateWrong for a context with a variable too few, one too many, or an empty one."""
    template = template_of(name)
    _check(template, context)
    said = {file.partition(".")[2] if file != "subject.txt" else "subject": file for file in FILES[channel]}
    filled = {part: _filled(template, language, file, context) for part, file in said.items()}
    if channel == Channel.WHATSAPP:
        parameters = [context[one] for one in template.parameters]
        return Content(filled["txt"], template=template.name, language=language, parameters=parameters)
    if channel == Channel.EMAIL:
        frame = {"language": escape(language), "subject": escape(filled["subject"]), "body": filled["html"]}
        return Content(filled["txt"], filled["subject"], _text("frame.html").format_map(frame))
    return Content(filled["txt"])


def hidden(name: str, context: Mapping[str, str]) -> dict[str, str]:
    """The context as others may see it: dots in place of what is for the recipient alone."""
    secret = template_of(name).secret
    return {key: HIDDEN if key in secret else value for key, value in context.items()}


def packed(contents: Mapping[Channel, Content]) -> str:
    return json.dumps({channel.value: asdict(content) for channel, content in contents.items()})


def unpacked(text: str) -> dict[Channel, Content]:
    return {Channel(name): Content(**values) for name, values in json.loads(text).items()} if text else {}


# --- Inside ---------------------------------------------------------------------------------------------------------------
def _check(template: MessageTemplate, context: Mapping[str, str]) -> None:
    wrong = sorted(set(template.sample) ^ set(context)) or sorted(key for key, value in context.items() if not value)
    if wrong:
        raise TemplateWrong(f"{template.name} was given the wrong variables, or empty ones: {', '.join(wrong)}.")


def _filled(template: MessageTemplate, language: str, file: str, context: Mapping[str, str]) -> str:
    values = {name: context[name] for name in _fields(template, language, file)}
    if file.endswith(".html"):
        values = {name: escape(value) for name, value in values.items()}
    return _text(f"{language}/{template.name}/{file}").format_map(values).strip()


@lru_cache
def _text(path: str) -> str:
    try:
        return (_root() / path).read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateWrong(f"There is no file {path} among the message templates.") from error


def _fields(template: MessageTemplate, language: str, file: str) -> frozenset[str]:
    """The variables that a file names."""
    parts = Formatter().parse(_text(f"{language}/{template.name}/{file}"))
    named = frozenset(name for _, name, form, conversion in parts if name is not None and not form and not conversion)
    if unknown := named - set(template.sample):
        raise TemplateWrong(f"{language}/{template.name}/{file} names {', '.join(sorted(unknown))}, which is not declared.")
    return named


def _root() -> Path:
    return Path(settings.BASE_DIR) / "templates" / "messages"
