"""Tokenizers for the commands that read text."""

from __future__ import annotations

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
