"""Less common TFLite operators against the LiteRT reference kernels."""

import struct

import numpy as np
import pytest

from linnet.converters.importer import import_model
from linnet.errors import FormatError, InputError, ShapeError, UnsupportedError
from tests.converters.tflite_reference import Case, Operand, check
from tests.evaluate import execute

RNG = np.random.default_rng(23)
F32, I32 = [("float32", None)], [("int32", None)]


def real(*shape, low=-3.0, high=3.0, constant=False):
    return Operand(RNG.uniform(low, high, shape).astype(np.float32), constant)


def whole(*shape, dtype=np.int32, low=-20, high=20, constant=False):
    return Operand(RNG.integers(low, high, shape).astype(dtype), constant)


def just(values, dtype=np.int32, constant=True):
    return Operand(np.array(values, dtype), constant)


SEGMENTS = [
    Case(f"UNSORTED_SEGMENT_{kind}", [x, ids, just(5)], f"UnsortedSegment{kind.title()}Options",
         output=out, label=label)
    for kind in ("SUM", "PROD", "MIN", "MAX")
    for label, x, ids, out in (
        ("float", real(6, 3), just([2, 0, 2, -1, 4, 0], constant=False), F32),
        ("int32", whole(2, 3, 2), just([[2, 0, 2], [1, 4, 0]], constant=False), I32),
    )
]  # fmt: skip
ROWS = [
    Case("SEGMENT_SUM", [real(5, 2), just([0, 0, 1, 2, 2])], "SegmentSumOptions"),
    *SEGMENTS,
    *(
        Case("EMBEDDING_LOOKUP_SPARSE",
             [just([1, 3, 0, 2], constant=False), just([[0, 0], [0, 1], [2, 0], [2, 1]]),
              just([3, 2]), real(4, low=0.5), real(5, 3, constant=True)],
             "EmbeddingLookupSparseOptions", {"Combiner": combiner}, label=str(combiner))
        for combiner in (0, 1, 2)
    ),
    Case("HASHTABLE_LOOKUP", [just([7, 3, 9, 1], constant=False), just([1, 3, 7, 8]),
                              real(4, 3, constant=True)],
         output=[("float32", None), ("uint8", None)]),
    Case("BUCKETIZE", [real(3, 7)], "BucketizeOptions",
         {"Boundaries": [-1.5, -0.5, 0.25, 2.0]}, I32),
    Case("BUCKETIZE", [whole(9, low=-4, high=5)], "BucketizeOptions",
         {"Boundaries": [-3.0, 0.0, 2.0]}, I32, "int32"),
]  # fmt: skip
MATRICES = [
    Case("MATRIX_DIAG", [real(2, 3)], "MatrixDiagOptions"),
    Case("MATRIX_DIAG", [whole(4)], "MatrixDiagOptions", output=I32, label="int32"),
    Case("MATRIX_SET_DIAG", [real(2, 3, 4), real(2, 3)], "MatrixSetDiagOptions"),
    Case("MATRIX_SET_DIAG", [real(4, 3), real(3)], "MatrixSetDiagOptions", label="tall"),
    Case("DYNAMIC_UPDATE_SLICE", [real(5, 4), real(2, 3), just([9, -1], constant=False)],
         "DynamicUpdateSliceOptions"),
    Case("DYNAMIC_UPDATE_SLICE", [whole(5, 4), whole(1, 4), just([2, 0], np.int64, False)],
         "DynamicUpdateSliceOptions", output=I32, label="int32"),
    Case("REVERSE_SEQUENCE", [real(3, 5, 2), just([2, 5, 0], constant=False)],
         "ReverseSequenceOptions", {"SeqDim": 1, "BatchDim": 0}),
    Case("REVERSE_SEQUENCE", [whole(4, 3), just([1, 4, 2], np.int64, False)],
         "ReverseSequenceOptions", {"SeqDim": 0, "BatchDim": 1}, I32, "time-first"),
    Case("SPARSE_TO_DENSE", [just([[0, 1], [2, 0]], constant=False), just([3, 4]), real(2),
                             just(0.5, np.float32)], "SparseToDenseOptions"),
    Case("SPARSE_TO_DENSE", [just([1, 4]), just([6]), just(7, constant=False), just(-1)],
         "SparseToDenseOptions", output=I32, label="one-value"),
    Case("SPARSE_TO_DENSE", [just(3, constant=False), just([6]), just(7, constant=False), just(0)],
         "SparseToDenseOptions", output=I32, label="one-place"),
]  # fmt: skip
NUMBERS = [
    Case("ATAN2", [real(3, 4), real(3, 4)], "ATan2Options"),
    Case("BITCAST", [real(3, 4)], "BitcastOptions", output=I32),
    Case("BITCAST", [whole(3, 4)], "BitcastOptions", output=[("int16", None)], label="narrower"),
    Case("BITCAST", [whole(3, 4, dtype=np.uint8, low=0)], "BitcastOptions",
         output=[("uint32", None)], label="wider"),
    Case("RIGHT_SHIFT", [whole(3, 4), whole(3, 4, low=-2, high=40)], "RightShiftOptions",
         output=I32),
    Case("RIGHT_SHIFT", [whole(6, dtype=np.int8), whole(6, dtype=np.int8, low=0, high=9)],
         "RightShiftOptions", output=[("int8", None)], label="int8"),
    Case("BROADCAST_ARGS", [just([2, 1, 5], constant=False), just([3, 1], constant=False)],
         output=I32),
    Case("BROADCAST_ARGS", [just([4]), just([], np.int32)], output=I32, label="scalar"),
    *(
        Case("FAKE_QUANT", [real(5, 9)], "FakeQuantOptions",
             {"Min": low, "Max": high, "NumBits": bits}, label=str(bits))
        for low, high, bits in ((-1.0, 2.5, 8), (0.0, 2.0, 4), (-3.0, 1.0, 16))
    ),
    Case("LOCAL_RESPONSE_NORMALIZATION", [real(1, 2, 3, 9)], "LocalResponseNormalizationOptions",
         {"Radius": 2, "Bias": 1.5, "Alpha": 0.3, "Beta": 0.75}, reference=False),
    Case("DILATE", [real(3, 4), just([2, 3]), just(0.5, np.float32)]),
    Case("DILATE", [whole(3, 4), just([1, 2]), just(-1)], output=I32, label="int32"),
]  # fmt: skip
WINDOWS = [
    Case("REDUCE_WINDOW",
         [real(5, 7), just(start, np.float32), just([2, 3], np.int64), just([1, 2], np.int64),
          just([2, 1], np.int64)],
         "ReduceWindowOptions", {"ReduceFunction": number}, label=label)
    for label, number, start in (("add", 1, 0.5), ("mul", 2, 1), ("min", 3, 9), ("max", 4, -9))
]  # fmt: skip
SPECTRA = [
    Case("RFFT2D", [real(2, 4, 8), just([4, 8])], "Rfft2dOptions", output=[("complex64", None)]),
    Case("RFFT2D", [real(2, 3, 10), just([4, 8])], "Rfft2dOptions",
         output=[("complex64", None)], label="cut"),
    Case("RFFT2D", [real(1, 512), just([1, 512])], "Rfft2dOptions",
         output=[("complex64", None)], label="line", tolerance=2e-4),
]  # fmt: skip


def complex_numbers(*shape):
    parts = RNG.normal(0, 2, (*shape, 2)).astype(np.float32)
    return Operand(parts.view(np.complex64)[..., 0])


PARTS = [Case(kind, [complex_numbers(3, 5)]) for kind in ("REAL", "IMAG", "COMPLEX_ABS")]


def volume(kind, label, x, filters, bias, shape=None, **options):
    options = {"StrideD": 1, "StrideH": 1, "StrideW": 1, "Padding": 1} | options
    operands = [real(*x), real(*filters, constant=True), real(bias, constant=True)]
    if shape is not None:
        operands = [just(shape), operands[1], operands[0], *operands[2:]]
    return Case(kind, operands, "Conv3DOptions", options, label=label)


VOLUMES = [
    volume("CONV_3D", "valid", (2, 4, 5, 6, 3), (2, 3, 2, 3, 4), 4),
    volume("CONV_3D", "same", (1, 5, 5, 6, 2), (3, 3, 3, 2, 4), 4, Padding=0, StrideD=2, StrideH=2,
           StrideW=1, FusedActivationFunction=1),
    volume("CONV_3D", "dilated", (1, 7, 7, 6, 2), (2, 2, 3, 2, 4), 4, DilationDFactor=2,
           DilationHFactor=3, DilationWFactor=1),
    volume("CONV_3D_TRANSPOSE", "valid", (1, 3, 4, 5, 2), (2, 3, 2, 4, 2), 4, (1, 4, 6, 6, 4)),
    volume("CONV_3D_TRANSPOSE", "same", (2, 3, 4, 5, 2), (3, 3, 3, 4, 2), 4, (2, 6, 8, 5, 4),
           Padding=0, StrideD=2, StrideH=2, FusedActivationFunction=1),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", [*ROWS, *MATRICES, *NUMBERS, *WINDOWS, *SPECTRA, *PARTS, *VOLUMES], ids=str
)
def test_matches_litert(case):
    check(case)


def test_segment_numbers_known_at_run_time_need_a_count():
    case = Case("SEGMENT_SUM", [real(5, 2), just([0, 0, 1, 2, 2], constant=False)],
                "SegmentSumOptions")  # fmt: skip
    graph = import_model(case.model([(3, 2)]))
    (found,) = execute(graph, case.feeds()).values()
    assert found.shape == (3, 2)


@pytest.mark.parametrize("ids", [[0, 5, 1], [0, 9, 1]])
def test_segment_numbers_past_the_count_are_refused(ids):
    case = Case("UNSORTED_SEGMENT_SUM", [real(3, 2), just(ids, constant=False), just(5)],
                "UnsortedSegmentSumOptions")  # fmt: skip
    graph = import_model(case.model([(5, 2)]))
    with pytest.raises(InputError, match="segment number"):
        execute(graph, case.feeds())


def test_shapes_that_do_not_broadcast_are_refused():
    case = Case("BROADCAST_ARGS", [just([2, 3], constant=False), just([4], constant=False)],
                output=I32)  # fmt: skip
    graph = import_model(case.model([(2,)]))
    with pytest.raises(ShapeError, match="do not broadcast"):
        execute(graph, case.feeds())


def test_narrow_fake_quantization_is_refused():
    case = Case("FAKE_QUANT", [real(3)], "FakeQuantOptions",
                {"Min": -1.0, "Max": 1.0, "NumBits": 8, "NarrowRange": True})  # fmt: skip
    with pytest.raises(UnsupportedError, match="narrow"):
        import_model(case.model([(3,)]))


@pytest.mark.parametrize(
    ("mode", "kernel", "size"), [(1, 2, (8, 10)), (1, 3, (8, 10)), (2, 3, (9, 11))]
)
def test_transposed_convolutions_of_mediapipe_match_litert(mode, kernel, size):
    options = struct.pack("<3i", mode, 2, 2)
    operands = [real(1, 4, 5, 6), real(3, kernel, kernel, 6, constant=True), real(3, constant=True)]
    case = Case("CUSTOM", operands, custom="Convolution2DTransposeBias", custom_options=options)
    model = case.model([(1, *size, 3)])
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], operands[0].content)
    interpreter.invoke()
    wanted = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    (made,) = execute(import_model(model), case.feeds()).values()
    np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [b"", struct.pack("<3i", 0, 2, 2), struct.pack("<3i", 1, 0, 2)])
def test_transposed_convolutions_of_mediapipe_without_their_options_are_refused(options):
    operands = [real(1, 4, 5, 6), real(3, 2, 2, 6, constant=True), real(3, constant=True)]
    case = Case("CUSTOM", operands, custom="Convolution2DTransposeBias", custom_options=options)
    with pytest.raises((FormatError, UnsupportedError)):
        import_model(case.model([(1, 8, 10, 3)]))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_quantization_to_no_scale_is_refused(dtype):
    with pytest.raises(UnsupportedError, match="has no scale"):
        import_model(Case("QUANTIZE", [real(3, 4)], output=[(dtype, None)]).model([(3, 4)]))
