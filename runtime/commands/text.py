"""Tokenizers for the commands that read text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from linnet.errors import FormatError, UnsupportedError


def read_tokenizer(path: str) -> Any:
    """Return a Hugging Face tokenizer that neither truncates nor pads.

    Raises
    ------
    UnsupportedError
        If the tokenizers package is not installed.
    FormatError
        If the file is no tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UnsupportedError(
            "text needs the tokenizers package; install it with: pip install linnet[text]"
        ) from error
    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:
        raise FormatError(f"{path}: not a tokenizer.json ({error})") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def pieces(
    tokens: Iterable[int], decode: Callable[[list[int]], str], stops: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the text of tokens piece by piece, up to the first text that ends it.

    What may be the beginning of such a text, or of a letter of several tokens, is held back.

    Parameters
    ----------
    tokens : iterable of int
    decode : callable
        Text of a list of tokens.
    stops : sequence of str
        Texts that end the output and do not belong to it.
    """
    made: list[int] = []
    text, shown = "", 0
    for token in tokens:
        made.append(token)
        text = decode(made)
        ends = [text.find(stop) for stop in stops if stop in text]
        if ends:
            yield text[shown : min(ends)]
            return
        ready = len(text.rstrip("\ufffd")) - _pending(text, stops)
        if ready > shown:
            yield text[shown:ready]
            shown = ready
    yield text[shown:]


def _pending(text: str, stops: Sequence[str]) -> int:
    """Return how many letters at the end of a text may begin one of the stops."""
    longest = 0
    for stop in stops:
        sizes = (n for n in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:n]))
        longest = max(longest, next(sizes, 0))
    return longest
