"""Methods of programs refuse arguments that do not fit, by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from linnet.kernels import _core

REDUCE: tuple[Any, ...] = ("sum", 64, 64, (1, 1, 1, 1, 1), 1.0)


@pytest.fixture
def program() -> _core.Program:
    """Return a program that nothing was added to."""
    return _core.Program(64)


def _depthwise(**changed: Any) -> dict[str, Any]:
    """Return the arguments of a 1 x 1 depthwise convolution of one channel."""
    given = {
        "x": 64, "y": 64, "input": (1, 1, 1, 1), "output": (1, 1, 1), "kernel": (1, 1),
        "strides": (1, 1), "dilations": (1, 1), "begins": (0, 0), "y_steps": (1, 1, 1),
        "weights": np.ones(1, np.float32), "bias": np.zeros(1, np.float32), "bounds": (0.0, 1.0),
    }  # fmt: skip
    return given | changed


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (REDUCE[:-1], TypeError, "argument 4"),
        ((*REDUCE, 1), TypeError, "too many"),
        ((b"sum", *REDUCE[1:]), TypeError, "str"),
        ((*REDUCE[:3], (1, 1, 1, 1), 1.0), ValueError, "expected 5 items, found 4"),
        ((*REDUCE[:3], 7, 1.0), TypeError, "list or a tuple"),
        ((*REDUCE[:1], -1, *REDUCE[2:]), OverflowError, "negative"),
        ((*REDUCE[:1], 1.5, *REDUCE[2:]), TypeError, "float"),
        ((*REDUCE[:4], "1"), TypeError, "real number"),
    ],
)
def test_positions_are_checked(
    program: _core.Program, arguments: tuple[Any, ...], error: Any, says: str
) -> None:
    """A missing, surplus or unreadable argument adds nothing."""
    with pytest.raises(error, match=says):
        program.reduce_f32(*arguments)
    assert len(program) == 0


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"surplus": 1}, TypeError, "surplus"),
        ({"kernel": (2**31, 1)}, OverflowError, "2147483648"),
        ({"weights": np.ones(1)}, TypeError, "format d"),
        ({"weights": np.ones(1, np.int32)}, TypeError, f"format {np.dtype(np.int32).char}"),
        ({"weights": np.ones(1, ">f4")}, TypeError, "format >f"),
        ({"weights": np.ones((2, 2), np.float32)[:, :1]}, (BufferError, ValueError), "contiguous"),
    ],
)
def test_names_and_arrays_are_checked(
    program: _core.Program, changed: dict[str, Any], error: Any, says: str
) -> None:
    """An unknown name, an integer that is too wide or an array of another type adds nothing."""
    with pytest.raises(error, match=says):
        program.depthwise_f32(**_depthwise(**changed))
    assert len(program) == 0


def test_what_fits_is_added(program: _core.Program) -> None:
    """Names and positions both do, and arrays with an explicit byte order of this machine."""
    program.reduce_f32(*REDUCE)
    program.depthwise_f32(**_depthwise(weights=np.ones(1, "<f4")))
    with pytest.raises(TypeError, match="argument 0"):
        program.panels_f32_size()
    assert len(program) == 2
