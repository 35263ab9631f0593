"""Every case of the table: the reference keeps what infer promises, kernels give the same."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES
from harness import NotBound, bind_op, declared, expected, levels, run_step, typed

from linnet.ops import ConstantOfShape, Shape, Size
from linnet.types import NodeTypes

LEVELS = list(levels())
# Ops whose outputs may well hold one value.
FEW_VALUES = (ConstantOfShape, Shape, Size)


@pytest.mark.parametrize("name", CASES)
def test_the_reference_keeps_what_infer_promises(name):
    case = CASES[name]
    arrays = case.arrays
    types = typed(arrays, case.quantizations)
    outs = declared(case.op, types, case.output_quantization)
    results = case.op.reference(NodeTypes(tuple(types), outs), *arrays)
    assert len(results) == len(outs) == case.op.outputs
    for result, out in zip(results, outs, strict=True):
        assert (result.dtype, result.ndim) == (out.dtype.numpy, out.rank)
        pairs = zip(result.shape, out.shape, strict=True)
        assert all(size == dim or isinstance(dim, str) for size, dim in pairs)
        if result.size > 1 and not isinstance(case.op, FEW_VALUES):
            assert np.unique(result).size > 1, "the case cannot tell a kernel from a constant"
    if all(out.is_static for out in outs):
        assert case.op.cost(NodeTypes(tuple(types), outs)).bytes >= 0
    assert case.op.arity[0] <= len(arrays) <= case.op.arity[1]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.kernels])
def test_kernels_equal_the_reference(name):
    case = CASES[name]
    arrays = case.arrays
    wanted = expected(case.op, arrays, **case.call)
    single = []
    for isa, threads in LEVELS:
        step = bind_op(
            case.op, arrays, **case.call, constants=case.constants, isa=isa, threads=threads
        )
        assert {row for row, _ in step.program.steps} - {"flow"} == case.rows(threads)
        found = run_step(step)
        if threads == 1:
            single = found
            for one, other in zip(found, wanted, strict=True):
                case.check(one, other)
        for one, other in zip(found, single, strict=True):
            np.testing.assert_array_equal(one, other, f"{isa}: threads change the result")


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.kernels])
def test_host_steps_are_known(name):
    case = CASES[name]
    arrays = case.arrays
    if not all(out.is_static for out in declared(case.op, typed(arrays, case.quantizations), None)):
        return
    if not any(result.size for result in expected(case.op, arrays, **case.call)):
        step = bind_op(case.op, arrays, **case.call, constants=case.constants)
        assert step.program.steps == []
        return
    with pytest.raises(NotBound):
        bind_op(case.op, arrays, **case.call, constants=case.constants)
