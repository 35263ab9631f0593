"""ONNX Resize and Upsample."""

from __future__ import annotations

from linnet import ops
from linnet.errors import FormatError, UnsupportedError
from linnet.types import DType

from .node import OnnxNode, normalized
from .registry import handles
from .spatial import pair, spatial_rank, through_last

_COORDINATES = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")


@handles("Upsample")
def upsample(node: OnnxNode) -> None:
    """Scales are an attribute up to opset 8, then an input."""
    scales = node.attributes.get("scales") if node.version < 9 else None
    if scales is None and node.constant(1) is None:
        _resample(node, "asymmetric", "floor", scales=1)
        return
    if scales is None:
        scales = tuple(float(s) for s in node.known(1, "scales").reshape(-1))
    _resize_plainly(node, tuple(scales))


def _resize_plainly(node: OnnxNode, scales: tuple[float, ...]) -> None:
    """Resize as before opset 11: nearest elements are those above where an axis shrinks."""
    less = tuple(min(scale, 1.0) for scale in scales)
    if _mode(node) == "linear" or min(scales) >= 1:
        _resize(node, "asymmetric", "floor", scales=scales)
        return
    axes = tuple(range(len(scales)))
    plain = ops.Resample(axes=axes, scales=less, coordinates="asymmetric", rounding="ceil")
    small = node.emit(plain, node.input(0))
    more = tuple(max(scale, 1.0) for scale in scales)
    node.finish(
        ops.Resample(axes=axes, scales=more, coordinates="asymmetric", rounding="floor"), small
    )


@handles("Resize")
def resize(node: OnnxNode) -> None:
    """Opset 10 knows scales only and no coordinate choice; later ones know both."""
    if node.version < 11:
        if node.constant(1) is None:
            _resample(node, "asymmetric", "floor", scales=1)
            return
        _resize_plainly(node, tuple(float(s) for s in node.known(1, "scales").reshape(-1)))
        return
    coordinates = node.text("coordinate_transformation_mode", "half_pixel")
    rounding = node.text("nearest_mode", "round_prefer_floor")
    place = 3 if node.optional(3) and node.shape(3) != (0,) else 2
    if not node.optional(place):
        raise FormatError("neither sizes nor scales are given")
    given = node.constant(place)
    if place == 3 and given is None and _is_plain(node) and _keeps_images(node):
        _resize_to_computed(node, coordinates, rounding)
        return
    if given is None:
        if place == 3:
            _resample(node, coordinates, rounding, sizes=place)
        else:
            _resample(node, coordinates, rounding, scales=place)
        return
    if place == 3:
        _resize(node, coordinates, rounding, sizes=tuple(int(s) for s in given.reshape(-1)))
    else:
        _resize(node, coordinates, rounding, scales=tuple(float(s) for s in given.reshape(-1)))


def _is_plain(node: OnnxNode) -> bool:
    """Whether the node has nothing that only `Resample` does."""
    coordinates = node.text("coordinate_transformation_mode", "half_pixel")
    mode = node.text("mode", "nearest")
    return (
        node.rank() in (3, 4)
        and coordinates in _COORDINATES
        and mode in ("nearest", "linear", "bilinear")
        and not node.integer("antialias", 0)
        and node.text("keep_aspect_ratio_policy", "stretch") == "stretch"
        and node.type(0).dtype not in (DType.FLOAT64, DType.INT32, DType.INT64)
    )


def _keeps_images(node: OnnxNode) -> bool:
    """Whether computed sizes are those of images whose batch and channels stay."""
    entries, own = node.dimensions(3), node.own_dimensions()
    plain = node.rank() == 4 and not node.has("axes")
    return plain and entries is not None and entries[:2] == own[:2]


def _resample(
    node: OnnxNode,
    coordinates: str,
    rounding: str,
    sizes: int = 0,
    scales: int = 0,
    fixed_sizes: tuple[int, ...] = (),
    fixed_scales: tuple[float, ...] = (),
) -> None:
    """Resize any axes, by sizes or scales that are attributes, or inputs of these numbers."""
    rank = node.rank()
    axes = tuple(normalized(a, rank) for a in node.integers("axes", range(rank)) or ())
    ones = (1,) * len(axes)
    mode = node.text("mode", "nearest")
    roi: tuple[float, ...] = ()
    late: dict[str, str] = {}
    if coordinates == "tf_crop_and_resize":
        place = node.constant(1)
        roi = tuple(float(i) for i in (ones + ones if place is None else place.reshape(-1)))
        if place is None:
            late["roi"] = node.input(1)
    if sizes:
        late["sizes"] = node.input(sizes)
    if scales:
        late["scales"] = node.input(scales)
    op = ops.Resample(
        axes=axes,
        sizes=fixed_sizes or (ones if sizes else ()),
        scales=fixed_scales or ((1.0,) * len(axes) if scales else ()),
        roi=roi,
        mode="linear" if mode == "bilinear" else mode,
        coordinates=coordinates,
        rounding=rounding,
        policy=node.text("keep_aspect_ratio_policy", "stretch"),
        cubic=node.real("cubic_coeff_a", -0.75),
        exclude_outside=bool(node.integer("exclude_outside", 0)),
        antialias=bool(node.integer("antialias", 0)),
        outside=node.real("extrapolation_value", 0.0),
    )
    x = node.input(0)
    if late:
        node.finish(node.late(op, [x], late), x, *late.values())
    else:
        node.finish(op, x)


def _resize_to_computed(node: OnnxNode, coordinates: str, rounding: str) -> None:
    """Resize to a height and width that are computed, the other dimensions staying."""
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
    rank = node.rank()
    axes = [normalized(a, rank) for a in node.integers("axes", range(rank)) or ()]
    listed = sizes or scales or ()
    if len(listed) != len(axes):
        raise FormatError(f"{len(listed)} sizes or scales for {len(axes)} axes")
    wanted = dict(zip(axes, listed, strict=True))
    kept = [wanted.get(a, k) == k for a, k in ((0, 1), (1, 1))]
    if sizes:
        kept = [wanted.get(axis, size) == size for axis, size in enumerate(node.shape()[:2])]
    if not all(kept) or not _is_plain(node):
        _resample(node, coordinates, rounding, fixed_sizes=sizes or (), fixed_scales=scales or ())
        return
    spatial = spatial_rank(node)
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
