from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import PlanError
from linnet.plan_check import check_plan
from linnet.planner import Request, plan_memory

requests = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(-1, 30), st.integers(0, 12)).map(
        lambda t: Request(t[0], t[1], t[1] + t[2])
    ),
    max_size=40,
)


def lifetimes(items):
    return [(r.nbytes, r.first, r.last) for r in items]


@given(requests)
def test_plans_pass_the_independent_check(items):
    plan = plan_memory(items)
    check_plan(lifetimes(items), plan.offsets, plan.arena_bytes)
    assert plan.arena_bytes >= plan.lower_bound


def test_a_chain_takes_two_buffers():
    items = [Request(1000, i, i + 1) for i in range(20)]
    plan = plan_memory(items)
    assert plan.arena_bytes == plan.lower_bound == 2 * 1088


@pytest.mark.parametrize(
    ("items", "offsets", "arena", "message"),
    [
        ([(64, 0, 1), (64, 1, 2)], [0, 64], 512, "step 1: buffer 0 ends at 128"),
        ([(64, 0, 1)], [32], 512, "not a multiple"),
        ([(64, 0, 1)], [0], 100, "beyond the arena"),
        ([(64, 2, 1)], [0], 512, "living from 2 to 1"),
        ([(64, 0, 1)], [], 512, "0 offsets for 1 buffers"),
    ],
)
def test_the_check_refuses_broken_plans(items, offsets, arena, message):
    with pytest.raises(PlanError, match=message):
        check_plan(items, offsets, arena)
