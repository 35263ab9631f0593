"""Drawing charts as SVG text: axes, ticks, marks. No library, so that every device can."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

# Okabe and Ito's colors, told apart with every kind of color vision.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#777777")
INK, FAINT, PAPER = "#222222", "#dddddd", "#ffffff"


@dataclass(frozen=True)
class Scale:
    """From data to pixels, linear or logarithmic.

    Examples
    --------
    >>> Scale(0.0, 10.0, 100.0, 200.0)(5.0)
    150.0
    >>> Scale(1.0, 100.0, 0.0, 2.0, log=True)(10.0)
    1.0
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        if self.log:
            value = math.log10(max(value, self.low * 1e-3))
            low, high = math.log10(self.low), math.log10(self.high)
        else:
            low, high = self.low, self.high
        return self.start + (value - low) / ((high - low) or 1.0) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round values along the scale: powers of ten, or steps of 1, 2 or 5."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**n for n in range(first, last + 1)]
        step = _step((self.high - self.low) / 5)
        first, last = math.ceil(self.low / step), math.floor(self.high / step + 1e-9)
        return [n * step for n in range(first, last + 1)]


def _step(wanted: float) -> float:
    if wanted <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= wanted * (1 - 1e-9))


@dataclass
class Drawing:
    """One SVG picture.

    Parameters
    ----------
    width, height : int
        Pixels.
    title : str
    """

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rect(0, 0, self.width, self.height, PAPER)
        self.text(16, 24, self.title, size=15, weight="bold")

    def line(
        self, x1: float, y1: float, x2: float, y2: float, color: str = FAINT, width: float = 1
    ) -> None:
        """Draw a line."""
        ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self.parts.append(f'<line {ends} stroke="{color}" stroke-width="{width}"/>')

    def path(self, points: Sequence[tuple[float, float]], color: str, width: float = 2) -> None:
        """Draw a line through points."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(
            f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="{width}"/>'
        )

    def rect(
        self, x: float, y: float, width: float, height: float, color: str, tip: str = ""
    ) -> None:
        """Draw a filled rectangle; a pointer over it shows ``tip``."""
        place = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
        self.parts.append(f'<rect {place} fill="{color}">{_tip(tip)}</rect>')

    def circle(self, x: float, y: float, radius: float, color: str, tip: str = "") -> None:
        """Draw a dot that lets others shine through."""
        self.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{color}" '
            f'fill-opacity="0.6" stroke="{color}">{_tip(tip)}</circle>'
        )

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        size: int = 12,
        anchor: str = "start",
        weight: str = "normal",
        turn: bool = False,
    ) -> None:
        """Write a line of text; ``turn`` writes it upwards."""
        turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}" fill="{INK}"{turned}>{escape(content)}</text>'
        )

    def axes(self, x: Scale, y: Scale, x_label: str, y_label: str) -> None:
        """Draw a grid with its numbers, and what both axes mean."""
        for value in x.ticks():
            self.line(x(value), y.start, x(value), y.end)
            self.text(x(value), y.start + 16, number(value), anchor="middle", size=11)
        for value in y.ticks():
            self.line(x.start, y(value), x.end, y(value))
            self.text(x.start - 6, y(value) + 4, number(value), anchor="end", size=11)
        self.line(x.start, y.start, x.end, y.start, INK)
        self.line(x.start, y.start, x.start, y.end, INK)
        self.text((x.start + x.end) / 2, y.start + 36, x_label, anchor="middle")
        self.text(x.start - 46, (y.start + y.end) / 2, y_label, anchor="middle", turn=True)

    def legend(self, x: float, y: float, entries: Sequence[tuple[str, str]]) -> None:
        """Write names beside their colors."""
        for index, (name, color) in enumerate(entries):
            self.rect(x, y + 18 * index, 11, 11, color)
            self.text(x + 17, y + 18 * index + 10, name, size=11)

    def svg(self) -> str:
        """Return the picture."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img" '
            f'aria-label={quoteattr(self.title)} font-family="system-ui, sans-serif">'
            + "".join(self.parts)
            + "</svg>"
        )


def number(value: float) -> str:
    """Return a short form of a number.

    Examples
    --------
    >>> number(0.5), number(20.0), number(3e6)
    ('0.5', '20', '3M')
    """
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.4g}{unit}"
    return f"{value:.4g}"


def _tip(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""
