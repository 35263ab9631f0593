"""Arithmetic on dimensions that may be symbolic.

Numbers are computed; anything with a symbol becomes an expression string, which only documents:
sessions infer shapes again with the numbers of the actual inputs.
"""

from __future__ import annotations

from .types import Dim


def _term(dim: Dim) -> str:
    text = str(dim)
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def add(left: Dim, right: Dim) -> Dim:
    """Return left + right.

    Examples
    --------
    >>> add(2, 3), add("n", 0), add("n", 1)
    (5, 'n', 'n+1')
    """
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    if right == 0:
        return left
    if left == 0:
        return right
    if isinstance(right, int) and right < 0:
        return f"{_term(left)}-{-right}"
    return f"{_term(left)}+{_term(right)}"


def mul(left: Dim, right: Dim) -> Dim:
    """Return left * right."""
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    if left == 0 or right == 0:
        return 0
    if right == 1:
        return left
    if left == 1:
        return right
    return f"{_term(left)}*{_term(right)}"


def floor_div(left: Dim, right: Dim) -> Dim:
    """Return left // right."""
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    if right == 1:
        return left
    if left == right:
        return 1
    return f"{_term(left)}//{_term(right)}"


def ceil_div(left: Dim, right: Dim) -> Dim:
    """Return the smallest whole number not below left / right."""
    if isinstance(left, int) and isinstance(right, int):
        return -(-left // right)
    if right == 1:
        return left
    return floor_div(add(left, add(right, -1)), right)


def product(dims: tuple[Dim, ...]) -> Dim:
    """Return the product of all dimensions."""
    total: Dim = 1
    for dim in dims:
        total = mul(total, dim)
    return total


def broadcast(left: Dim, right: Dim) -> Dim | None:
    """Return the broadcast of two dimensions, or None where they cannot fit.

    A symbol against 1 gives the symbol; against another number it is taken to equal the number.
    """
    if left == right or right == 1:
        return left
    if left == 1:
        return right
    if isinstance(left, int) and isinstance(right, int):
        return None
    return left if isinstance(left, int) else right
