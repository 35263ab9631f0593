"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import linnet


def names() -> list[str]:
    return [
        info.name
        for info in pkgutil.walk_packages(linnet.__path__, "linnet.")
        if not info.name.endswith("__main__") and ".bench_" not in info.name
    ]


@pytest.mark.parametrize("name", ["linnet", *names()])
def test_examples_hold(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_modules_were_found():
    assert len(names()) > 40
