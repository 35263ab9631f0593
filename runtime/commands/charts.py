"""Small charts as SVG files: bars of one quantity, points of two. No library needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" '
    'font-family="sans-serif" font-size="12">\n<rect width="{w}" height="{h}" fill="#ffffff"/>\n'
    '<text x="12" y="22" font-size="15" font-weight="bold">{title}</text>\n'
)
BLUE, ORANGE = "#0072B2", "#D55E00"


def write_bars(
    path: str, title: str, rows: Sequence[tuple[str, float, str]], marked: Sequence[str] = ()
) -> None:
    """Write horizontal bars.

    Parameters
    ----------
    path : str
    title : str
    rows : sequence of (label, value, text)
        From top to bottom; the text stands behind the bar.
    marked : sequence of str
        Labels of the bars in another color.
    """
    most = max((value for _, value, _ in rows), default=1.0) or 1.0
    height = 40 + 20 * len(rows) + 10
    parts = [_HEAD.format(w=900, h=height, title=escape(title))]
    for index, (label, value, text) in enumerate(rows):
        y = 40 + 20 * index
        color = ORANGE if label in marked else BLUE
        parts.append(
            f'<text x="300" y="{y + 12}" text-anchor="end">{escape(label[-42:])}</text>\n'
            f'<rect x="308" y="{y}" width="{480 * max(value, 0.0) / most:.1f}" height="15" '
            f'fill="{color}"><title>{escape(label)}</title></rect>\n'
            f'<text x="{314 + 480 * max(value, 0.0) / most:.1f}" y="{y + 12}">{escape(text)}'
            "</text>\n"
        )
    Path(path).write_text("".join((*parts, "</svg>\n")))


def write_points(
    path: str,
    title: str,
    axes: tuple[str, str],
    points: Sequence[tuple[float, float, str, bool]],
) -> None:
    """Write points in a plane, those on the front joined by a line.

    Parameters
    ----------
    path : str
    title : str
    axes : (str, str)
        What runs right, and what runs up.
    points : sequence of (x, y, label, on the front)
    """
    xs, ys = [p[0] for p in points] or [0.0], [p[1] for p in points] or [0.0]
    spans = [(min(v), (max(v) - min(v)) or 1.0) for v in (xs, ys)]

    def place(x: float, y: float) -> tuple[float, float]:
        right = 90 + 680 * (x - spans[0][0]) / spans[0][1]
        return right, 400 - 320 * (y - spans[1][0]) / spans[1][1]

    parts = [_HEAD.format(w=900, h=470, title=escape(title))]
    parts.append('<path d="M80 60V410H800" fill="none" stroke="#222222"/>\n')
    parts.append(f'<text x="440" y="455" text-anchor="middle">{escape(axes[0])}</text>\n')
    parts.append(
        f'<text x="18" y="235" text-anchor="middle" transform="rotate(-90 18 235)">'
        f"{escape(axes[1])}</text>\n"
    )
    for x, share in ((spans[0][0], 90), (spans[0][0] + spans[0][1], 770)):
        parts.append(f'<text x="{share}" y="428" text-anchor="middle">{x:.4g}</text>\n')
    for y, at in ((spans[1][0], 404), (spans[1][0] + spans[1][1], 84)):
        parts.append(f'<text x="74" y="{at}" text-anchor="end">{y:.4g}</text>\n')
    front = sorted((p[0], p[1]) for p in points if p[3])
    if len(front) > 1:
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(*p) for p in front))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{ORANGE}"/>\n')
    for x, y, label, on in points:
        a, b = place(x, y)
        color = ORANGE if on else BLUE
        parts.append(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{color}">'
            f"<title>{escape(label)}: {x:.5g}, {y:.5g}</title></circle>\n"
        )
    Path(path).write_text("".join((*parts, "</svg>\n")))
