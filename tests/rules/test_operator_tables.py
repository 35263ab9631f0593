"""The tables of operators in docs say what the importers and the case table say."""

import runpy

import pytest
from paths import ROOT

pytest.importorskip("onnx")
pytest.importorskip("tflite")


def test_the_tables_are_up_to_date():
    pages = runpy.run_path(str(ROOT / "tools" / "operators.py"))["pages"]()
    stale = [
        path.name
        for path, content in pages.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != content
    ]
    assert not stale, f"out of date: {stale}; run python tools/operators.py"
