"""Random ONNX models of one node: a recipe for each operator."""

from __future__ import annotations

from . import elementwise, images, movement, norms, products
from .maker import RECIPES, Maker

__all__ = ["RECIPES", "Maker", "elementwise", "images", "movement", "norms", "products"]
