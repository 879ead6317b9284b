"""Every template says everything in every language and by every channel, and never with a hole in it."""

import re
from dataclasses import replace
from typing import Any

import pytest

from core.messaging.catalogue import (
    HIDDEN,
    MessageTemplate,
    TemplateWrong,
    hidden,
    language_for,
    languages_of,
    packed,
    register_template,
    render,
    templates,
    unpacked,
)
from core.messaging.models import Channel

EVERY = [(one, language, channel) for one in templates() for language in languages_of(one.name) for channel in Channel]
SMS_SEGMENTS = 3 * 67  # characters of three joined messages in UCS-2


@pytest.mark.parametrize("template,language,channel", EVERY, ids=lambda one: getattr(one, "name", str(one)))
def test_each_is_filled_in_completely(template: MessageTemplate, language: str, channel: Channel) -> None:
    content = render(template.name, channel, language, template.sample)
    said = " ".join([content.subject, content.text, content.html, *content.parameters])
    assert content.text and not re.search(r"\{\w*\}", said)
    assert template.sample["address"] in content.text
    if channel == Channel.EMAIL:
        assert content.subject and content.html.startswith("<!doctype html>") and f'lang="{language}"' in content.html
    if channel == Channel.WHATSAPP:
        assert (content.template, content.language) == (template.name, language)
        assert content.parameters == [template.sample[one] for one in template.parameters]
    if channel == Channel.SMS:
        assert len(content.text) < SMS_SEGMENTS


def test_there_are_templates_in_two_languages() -> None:
    assert languages_of("appointment_reminder") == ("en", "es")


@pytest.mark.parametrize("template", templates(), ids=lambda one: one.name)
def test_a_context_that_does_not_fit_is_refused(template: MessageTemplate) -> None:
    name = next(iter(template.sample))
    less = {key: value for key, value in template.sample.items() if key != name}
    for context in (less, {**template.sample, "diagnosis": "x"}, {**template.sample, name: ""}):
        with pytest.raises(TemplateWrong) as raised:
            render(template.name, Channel.SMS, "en", context)
        assert "x" not in str(raised.value).split()


def test_a_template_whose_files_name_what_it_does_not_declare_is_refused() -> None:
    known = templates()[0]
    with pytest.raises(TemplateWrong, match="clinic"):
        register_template(replace(known, sample={key: value for key, value in known.sample.items() if key != "clinic"}))
    assert templates()[0] == known


def test_what_people_wrote_is_no_markup_in_html() -> None:
    known = templates()[0]
    content = render(known.name, Channel.EMAIL, "en", {**known.sample, "clinic": "<script>Smith & Sons"})
    assert "&lt;script&gt;Smith &amp; Sons" in content.html and "<script>" not in content.html
    assert "<script>Smith & Sons" in content.text


@pytest.mark.parametrize(
    "tags,chosen", [(["es-MX"], "es"), (["fr", "es"], "es"), (["", "en-gb"], "en"), (["xx"], "en"), ([], "en")]
)
def test_the_language_is_the_nearest_there_is(tags: list[str], chosen: str) -> None:
    assert language_for("appointment_reminder", *tags) == chosen


def test_links_are_for_the_recipient_alone() -> None:
    known = templates()[0]
    shown = hidden(known.name, known.sample)
    assert shown["address"] == HIDDEN
    assert known.sample["address"] not in render(known.name, Channel.EMAIL, "en", shown).text


def test_contents_come_back_as_they_were() -> None:
    known: Any = templates()[0]
    contents = {channel: render(known.name, channel, "es", known.sample) for channel in Channel}
    assert unpacked(packed(contents)) == contents
    assert unpacked("") == {}
