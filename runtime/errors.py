"""Typed errors of linnet: each says what was found, what was expected, where, and what to do."""

from __future__ import annotations


class LinnetError(Exception):
    """Base class of every error that linnet raises on purpose."""


class FormatError(LinnetError):
    """A model file is damaged, truncated or not what its header says."""


class GraphError(LinnetError):
    """A graph breaks a structural rule (order, names, arity, types).

    Parameters
    ----------
    problems : list of str
        Every problem found, one line each.
    """

    def __init__(self, problems: list[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class ShapeError(LinnetError):
    """Shapes or dtypes do not fit an operator or a session input."""


class QuantizationError(LinnetError):
    """Quantization parameters are missing, malformed or not supported by an operator."""


class InputError(LinnetError):
    """Data given to a session does not fit the model's inputs."""


class CalibrationError(InputError):
    """Calibration data is absent, degenerate, or does not fit the model's inputs."""


class PlanError(LinnetError):
    """A memory plan breaks one of its invariants."""


class UnsupportedError(LinnetError):
    """A model needs something that linnet cannot do.

    Parameters
    ----------
    reasons : list of str or str
        Every reason found, one line each: operator, node, what is missing, nearest rewrite.
    """

    def __init__(self, reasons: list[str] | str) -> None:
        self.reasons = [reasons] if isinstance(reasons, str) else list(reasons)
        head = f"{len(self.reasons)} unsupported: " if len(self.reasons) > 1 else ""
        super().__init__(head + "; ".join(self.reasons))
