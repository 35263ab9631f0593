"""Tables and progress for people: by rich where it is installed, plain text where it is not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol


class Advance(Protocol):
    """What `progress` yields: call it with the share done, 0 to 1."""

    def __call__(self, share: float) -> None:
        """Show the share done."""
        ...


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; columns whose cells are numbers are right-aligned.

    Parameters
    ----------
    title : str
        Printed above the table; "" for none.
    columns : sequence of str
    rows : iterable of sequence
        Cells are shown by ``str``.
    """
    body = [[str(cell) for cell in row] for row in rows]
    numeric = [all(_is_number(row[i]) for row in body) for i in range(len(columns))]
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        _plain_table(title, columns, body, numeric)
        return
    table = Table(title=title or None, title_justify="left")
    for column, right in zip(columns, numeric, strict=True):
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in body:
        table.add_row(*(Text(cell) for cell in row))
    wide = None if sys.stdout.isatty() else 200
    Console(width=wide).print(table)


def _plain_table(
    title: str, columns: Sequence[str], body: Sequence[Sequence[str]], numeric: Sequence[bool]
) -> None:
    widths = [
        max(len(column), *(len(row[i]) for row in body)) if body else len(column)
        for i, column in enumerate(columns)
    ]
    if title:
        print(title)
    for row in (columns, ["-" * width for width in widths], *body):
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        print("  ".join(cells).rstrip())


def _is_number(cell: str) -> bool:
    head = cell.split(" ")[0].rstrip("%x").replace(",", "")
    if head in {"", "-"}:
        return True
    try:
        float(head)
    except ValueError:
        return False
    return True


@contextmanager
def progress(label: str) -> Iterator[Advance]:
    """Show a progress bar on stderr while the block runs (terminals with rich only)."""
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield lambda share: None
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def show_json(data: Any) -> None:
    """Print data as JSON; infinities and NaN become null, because JSON has none."""
    print(json_text(data))


def json_text(data: Any) -> str:
    """Return data as JSON; infinities and NaN become null, because JSON has none."""
    return json.dumps(_finite(data), indent=1)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and (data != data or data in (float("inf"), float("-inf"))):
        return None
    return data


def bytes_text(count: int) -> str:
    """Return a byte count with a unit.

    Examples
    --------
    >>> bytes_text(512), bytes_text(98496), bytes_text(4_070_000)
    ('512 B', '98.5 kB', '4.07 MB')
    """
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1e3:.3g} kB"
    return f"{count / 1e6:.3g} MB"


def time_text(seconds: float) -> str:
    """Return a duration with a unit.

    Examples
    --------
    >>> time_text(3.2e-6), time_text(0.0125), time_text(2.0)
    ('3.2 us', '12.5 ms', '2 s')
    """
    if seconds < 1e-3:
        return f"{seconds * 1e6:.4g} us"
    if seconds < 1:
        return f"{seconds * 1e3:.4g} ms"
    return f"{seconds:.4g} s"
