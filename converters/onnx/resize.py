"""ONNX Resize and Upsample."""

from __future__ import annotations

from linnet import ops
from linnet.errors import FormatError, UnsupportedError

from .node import OnnxNode, normalized
from .registry import handles
from .spatial import pair, spatial_rank, through_last

_COORDINATES = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
_ROUNDINGS = ("round_prefer_floor", "floor", "ceil", "round_prefer_ceil")


@handles("Upsample")
def upsample(node: OnnxNode) -> None:
    """Scales are an attribute up to opset 8, then an input."""
    scales = node.attributes.get("scales") if node.version < 9 else None
    if scales is None:
        scales = tuple(float(s) for s in node.known(1, "scales").reshape(-1))
    _resize(node, "asymmetric", "floor", scales=tuple(scales))


@handles("Resize")
def resize(node: OnnxNode) -> None:
    """Opset 10 knows scales only and no coordinate choice; later ones know both."""
    if node.version < 11:
        factors = tuple(float(s) for s in node.known(1, "scales").reshape(-1))
        _resize(node, "asymmetric", "floor", scales=factors)
        return
    node.only("coordinate_transformation_mode", "half_pixel", *_COORDINATES)
    node.only("nearest_mode", "round_prefer_floor", *_ROUNDINGS)
    node.only("antialias", 0)
    node.only("exclude_outside", 0)
    node.only("keep_aspect_ratio_policy", "stretch")
    coordinates = node.text("coordinate_transformation_mode", "half_pixel")
    rounding = node.text("nearest_mode", "round_prefer_floor")
    sizes: tuple[int, ...] | None = None
    scales: tuple[float, ...] | None = None
    if node.optional(3) and node.constant(3) is None:
        _resize_to_computed(node, coordinates, rounding)
        return
    if node.optional(3):
        sizes = tuple(int(s) for s in node.known(3, "sizes").reshape(-1))
    elif node.optional(2):
        scales = tuple(float(s) for s in node.known(2, "scales").reshape(-1))
    if not sizes and not scales:
        raise FormatError("neither sizes nor scales are given")
    _resize(node, coordinates, rounding, sizes, scales)


def _resize_to_computed(node: OnnxNode, coordinates: str, rounding: str) -> None:
    """Resize to a height and width that are computed, the other dimensions staying."""
    entries, own = node.dimensions(3), node.own_dimensions()
    if node.rank() != 4 or node.has("axes") or entries is None or entries[:2] != own[:2]:
        raise UnsupportedError("sizes are computed at run time; make them constants")
    op = ops.Resize(mode=_mode(node), coordinates=coordinates, nearest=rounding)
    size = node.emit(ops.Slice(starts=(2,), ends=(4,), axes=(0,)), node.input(3))
    through_last(node, op, size)


def _mode(node: OnnxNode) -> str:
    """Return linnet's name of the interpolation."""
    mode = node.text("mode", "nearest")
    if mode not in ("nearest", "linear", "bilinear"):
        raise UnsupportedError(f"mode={mode!r}; only 'nearest' or 'linear'")
    return "nearest" if mode == "nearest" else "linear"


def _resize(
    node: OnnxNode,
    coordinates: str,
    rounding: str,
    sizes: tuple[int, ...] | None = None,
    scales: tuple[float, ...] | None = None,
) -> None:
    spatial, rank = spatial_rank(node), node.rank()
    axes = [normalized(a, rank) for a in node.integers("axes", range(rank)) or ()]
    listed = sizes or scales or ()
    if len(listed) != len(axes):
        raise FormatError(f"{len(listed)} sizes or scales for {len(axes)} axes")
    wanted = dict(zip(axes, listed, strict=True))
    for axis in (0, 1):
        asked = wanted.get(axis)
        kept = node.shape()[axis] if sizes else 1
        if asked is not None and asked != kept:
            raise UnsupportedError(f"axis {axis} is resized; only height and width can be")
    size: tuple[int, int] | None = None
    factors: tuple[float, float] | None = None
    if sizes:
        found = [wanted.get(a, node.shape()[a]) for a in range(2, rank)]
        if not all(isinstance(item, int) for item in found):
            raise UnsupportedError(f"sizes leave {found} open; give height and width")
        size = pair(tuple(int(i) for i in found), spatial, 1, 1, "sizes")
    else:
        given = [float(wanted.get(a, 1.0)) for a in range(2, rank)]
        factors = (given[0], given[1]) if spatial == 2 else (1.0, given[0])
    op = ops.Resize(
        mode=_mode(node),
        coordinates=coordinates,
        nearest=rounding,
        size=size,
        scales=factors,
    )
    through_last(node, op)
