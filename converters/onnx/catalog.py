"""Why an ONNX operator cannot be imported, and the nearest rewrite."""

from __future__ import annotations

from .registry import HANDLERS

_DECISIONS = "random decisions are repeated by no other runtime; make the noise an input"
_NEAREST: dict[str, str] = {
    "Bernoulli": _DECISIONS,
    "RandomUniformLike": _DECISIONS,
    "StringNormalizer": "text is not supported; tokenize outside the model",
    "TfIdfVectorizer": "text is not supported; vectorize outside the model",
}


def why_not(domain: str, kind: str) -> str:
    """Return why an operator without an importer is refused."""
    if domain and ("", kind) in HANDLERS:
        return f"domain '{domain}' is not supported; the standard operator {kind} is"
    if domain == "ai.onnx.ml":
        return _NEAREST.get(
            kind, "there is no such operator in linnet; take a linear model or trees"
        )
    if domain and domain != "com.microsoft":
        return f"domain '{domain}' is not known; export with standard operators"
    return _NEAREST.get(kind, "there is no such operator in linnet; rewrite it with others")
