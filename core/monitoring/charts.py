"""Line charts as SVG, drawn here: no script, no style attribute, colours by class."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 20  # room for the words around
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `values` has one for each moment, None where nothing is known. The first line of a chart is filled."""

    label: str
    values: Sequence[float | None]
    tone: str = "a"


@dataclass(frozen=True, slots=True)
class Chart:
    """`most`: the top of the scale where it is known, such as 100 %."""

    title: str
    unit: str
    moments: Sequence[datetime]
    lines: Sequence[Line]
    most: float | None = None

    @property
    def is_empty(self) -> bool:
        return all(value is None for line in self.lines for value in line.values)

    @property
    def newest(self) -> list[tuple[str, str, str]]:
        """Of each line its label, its last value in words, its tone."""
        return [(line.label, self._words(_last(line.values)), line.tone) for line in self.lines]

    @property
    def svg(self) -> SafeString:
        """The drawing. Its words for those who don't see it: newest and highest of each line."""
        top = self.most or ceiling(max((value or 0.0 for line in self.lines for value in line.values), default=0.0))
        return format_html(
            '<svg class="hms-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}{}</svg>',
            WIDTH, HEIGHT, self._said(), self._scale(top), self._times(), self._area(top),
            format_html_join("", "{}", ((self._drawn(line, top),) for line in reversed(self.lines))),
        )  # fmt: skip

    def _said(self) -> str:
        parts = [
            _("%(line)s: now %(now)s, highest %(most)s")
            % {"line": line.label, "now": self._words(_last(line.values)), "most": self._words(_highest(line.values))}
            for line in self.lines
        ]
        return f"{self.title}. {'; '.join(parts)}."

    def _words(self, value: float | None) -> str:
        return "–" if value is None else f"{short(value)} {self.unit}".strip()

    def _scale(self, top: float) -> SafeString:
        rows = ((LEFT, _y(share * top, top), WIDTH - RIGHT, LEFT - 6, short(share * top)) for share in (0.0, 0.5, 1.0))
        return format_html_join(
            "",
            '<line class="grid" x1="{0}" x2="{2}" y1="{1}" y2="{1}"/><text x="{3}" y="{1}" dy="3.5" text-anchor="end">{4}</text>',
            rows,
        )

    def _times(self) -> SafeString:
        if not self.moments:
            return SafeString()
        first, middle, last = self.moments[0], self.moments[len(self.moments) // 2], self.moments[-1]
        style = "H:i" if (last - first).total_seconds() < 2 * 86400 else "j M"
        places = ((LEFT, "start", first), ((LEFT + WIDTH - RIGHT) / 2, "middle", middle), (WIDTH - RIGHT, "end", last))
        words = ((x, HEIGHT - 5, anchor, date_format(localtime(moment), style)) for x, anchor, moment in places)
        return format_html_join("", '<text x="{}" y="{}" text-anchor="{}">{}</text>', words)

    def _area(self, top: float) -> SafeString:
        line = self.lines[0]
        parts = (
            (line.tone, f"{points} {piece[-1][0]:.1f},{_y(0, top)} {piece[0][0]:.1f},{_y(0, top)}")
            for piece in self._pieces(line, top)
            if (points := _points(piece))
        )
        return format_html_join("", '<polygon class="{}" points="{}"/>', parts)

    def _drawn(self, line: Line, top: float) -> SafeString:
        """A line without a value beside it is a dot."""
        pieces = list(self._pieces(line, top))
        lines = format_html_join(
            "", '<polyline class="{}" points="{}"/>', ((line.tone, _points(one)) for one in pieces if len(one) > 1)
        )
        dots = format_html_join(
            "",
            '<circle class="{}" cx="{}" cy="{}" r="2"/>',
            ((line.tone, f"{x:.1f}", f"{y:.1f}") for one in pieces if len(one) == 1 for x, y in one),
        )
        return format_html("{}{}", lines, dots)

    def _pieces(self, line: Line, top: float) -> list[list[tuple[float, float]]]:
        """Where something is known: a gap ends a piece."""
        pieces: list[list[tuple[float, float]]] = [[]]
        across = (WIDTH - LEFT - RIGHT) / max(1, len(self.moments) - 1)
        for number, value in enumerate(line.values):
            if value is None:
                pieces.append([])
            else:
                pieces[-1].append((LEFT + number * across, _y(min(value, top), top)))
        return [one for one in pieces if one]


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 1)


def _points(piece: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in piece)


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def ceiling(value: float) -> float:
    """The next round number from there on: 1, 2, 2.5 or 5 times a power of ten; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in STEPS if step * power >= value * 0.999)


def short(value: float) -> str:
    """With three digits at most, and k, M, G."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= factor:
            return f"{value / (1e3 if letter == 'k' else factor):.3g} {letter}"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
