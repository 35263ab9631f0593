"""Text of generated tokens, piece by piece."""

from __future__ import annotations

import pytest

from linnet.commands.text import pieces

BYTES = "grüße".encode()


def decode(tokens):
    return bytes(tokens).decode(errors="replace")


def test_letters_of_several_tokens_come_whole():
    found = list(pieces(BYTES, decode))
    assert "".join(found) == "grüße"
    assert all("\ufffd" not in piece for piece in found)


def test_what_never_becomes_a_letter_comes_at_the_end():
    assert list(pieces(BYTES[:3], decode)) == ["g", "r", "\ufffd"]


@pytest.mark.parametrize(
    ("stops", "shown"),
    [
        (["END"], "one "),
        (["ENDS", "two"], "one EN END "),
        (["x"], "one EN END two"),
        (["one"], ""),
    ],
)
def test_output_ends_before_a_stop(stops, shown):
    text = "one END two" if stops == ["END"] else "one EN END two"
    assert "".join(pieces(text.encode(), decode, stops)) == shown


def test_nothing_of_a_stop_is_shown_before_it_is_known():
    found = list(pieces(b"ab<|e", decode, ["<|end|>"]))
    assert found == ["a", "b", "<|e"]
