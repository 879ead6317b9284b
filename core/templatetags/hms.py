"""What templates say in one word: icons, keys of forms, rights, notices. Nothing here queries."""

from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any
from uuid import uuid4

import phonenumbers
from django import template
from django.contrib.messages.storage.base import Message
from django.forms import BoundField
from django.template import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _

from core import times
from core.accounts.actor import Actor
from core.idempotency.middleware import FORM_FIELD
from core.pages.toasts import undo_address

register = template.Library()
SECONDS_WITH_TENTHS = 10
LONGER = ((120, 1, gettext_lazy("%(n)d s")), (7200, 60, gettext_lazy("%(n)d min")), (172_800, 3600, gettext_lazy("%(n)d h")))


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A drawing of static/icons/icons.svg. Without a label it is decoration beside a word."""
    return _drawing(static("icons/icons.svg"), name, label)


@lru_cache(maxsize=512)
def _drawing(address: str, name: str, label: str) -> SafeString:
    if label:
        return format_html('<svg class="i" role="img" aria-label="{}"><use href="{}#{}"/></svg>', label, address, name)
    return format_html('<svg class="i" aria-hidden="true"><use href="{}#{}"/></svg>', address, name)


@register.simple_tag
def pill(tone: str, icon_name: str, text: Any, before: Any = "", solid: bool = False) -> SafeString:
    """A state: icon and word on a tint. `before` is said to screen readers only (“Allergy: ”)."""
    return format_html(
        '<span class="pill{}" data-tone="{}">{}{}{}</span>',
        " solid" if solid else "",
        tone,
        icon(icon_name),
        format_html('<span class="sr">{}</span>', before) if before else "",
        text,
    )


@register.simple_tag(takes_context=True)
def idempotency_key(context: Context, value: str = "") -> SafeString:
    """The hidden field that makes sending a form twice harmless. Every form that changes something has one.

    In a fragment that is kept it holds a mark, until the fragment is sent (core.pages.fragments).
    """
    return format_html('<input type="hidden" name="{}" value="{}">', FORM_FIELD, value or context.get("kept_key") or uuid4())


@register.simple_block_tag
def notice(content: str, tone: str = "info", icon_name: str = "info", title: Any = "", role: str = "") -> str:
    """A message in the flow, beside its cause; what stands between the tags is the way out."""
    context = {"content": content, "tone": tone, "icon": icon_name, "title": title, "role": role}
    return render_to_string("components/notice.html", context)


@register.simple_block_tag
def empty_state(content: str, icon_name: str, title: Any, level: str = "h3") -> str:
    """A list with nothing in it. What stands between the tags says what to do next."""
    return render_to_string("components/empty.html", {"content": content, "icon": icon_name, "title": title, "level": level})


@register.filter
def can(actor: Actor | None, what: str) -> bool:
    """`{% if actor|can:"patient.search" %}`: does the permission matrix let this person do it here?"""
    resource, _, action = what.partition(".")
    return actor is not None and actor.can(resource, action)


@register.filter
def phone(number: str) -> str:
    """A stored number with the spaces people read it by: +44 7700 900123."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    except phonenumbers.NumberParseException:
        return number


@register.filter
def language_words(tag: str) -> str:
    """“Spanish” for es; the tag itself for a language without a name here."""
    try:
        return str(get_language_info(tag)["name_translated"])
    except KeyError:
        return tag


@register.filter
def undo(message: Message) -> str:
    """The address that takes back what the message tells of; empty when it can't be taken back."""
    return undo_address(message)


@register.filter
def widget_kind(field: BoundField) -> str:
    """How `django/forms/field.html` lays the field out: hidden, check, group or line."""
    if field.is_hidden:
        return "hidden"
    if field.widget_type == "checkbox":
        return "check"
    return "group" if field.use_fieldset else "line"


@register.filter
def date_words(moment: datetime, zone: tzinfo | str) -> str:
    """{{ one.since|date_words:zone }}: “4 May 2026” on the wall clock of the zone (core.times)."""
    return times.date_words(moment, zone)


@register.filter
def weekday_and_date(moment: datetime, zone: tzinfo | str) -> str:
    """“Monday 4 May 2026”."""
    return times.weekday_and_date(moment, zone)


@register.filter
def time_words(moment: datetime, zone: tzinfo | str) -> str:
    """“14:30”."""
    return times.time_words(moment, zone)


@register.filter
def moment_words(moment: datetime, zone: tzinfo | str) -> str:
    """“Monday 4 May 2026, 14:30”."""
    return times.moment_words(moment, zone)


@register.filter
def date_and_time(moment: datetime | None, zone: tzinfo | str) -> str:
    """“4 May 2026, 14:30”; nothing without a moment."""
    return "" if moment is None else times.date_and_time(moment, zone)


@register.filter
def seconds_words(seconds: float | None) -> str:
    """How long something took or waits: “0.4 s”, “12 s”, “5 min”, “3 h”, “2 d”; a dash where nobody knows."""
    if seconds is None:
        return "–"
    if seconds < SECONDS_WITH_TENTHS:
        return _("%(n)s s") % {"n": _to_a_tenth(seconds)}
    for limit, unit, words in LONGER:
        if seconds < limit:
            return words % {"n": round(seconds / unit)}
    return _("%(n)d d") % {"n": round(seconds / 86400)}


@register.filter
def percent(share: float) -> str:
    """“2.5 %” for 0.025, to a tenth."""
    return _("%(n)s %%") % {"n": _to_a_tenth(share * 100)}


def _to_a_tenth(number: float) -> str:
    """“2.5”, and “2” for what is 2."""
    rounded = round(number, 1)
    return number_format(int(rounded) if rounded == int(rounded) else rounded)


@register.filter
def lately(moment: datetime, zone: tzinfo | str) -> str:
    """“Today, 14:30”, else “4 May 2026, 14:30”."""
    if times.local_time(moment, zone).date() != times.local_time(timezone.now(), zone).date():
        return times.date_and_time(moment, zone)
    return _("Today, %(time)s") % {"time": times.time_words(moment, zone)}
