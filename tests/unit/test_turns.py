"""Blocks that do not share out evenly among threads are cut, which no number may notice."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroflame import Network
from neuroflame.core.executors import choose
from neuroflame.core.recorder import RecordPlan, Window
from neuroflame.core.reference import initial_state
from neuroflame.core.trajectory import cpu
from neuroflame.core.trajectory.arguments import Stretch, aligned
from neuroflame.core.trajectory.turns import divide, turns
from neuroflame.spec import NetworkSpec
from tests.unit.test_trajectory import CASES, RING
from tests.unit.test_trajectory_spiking import CASES as SPIKING


@given(st.integers(1, 60), st.integers(1, 16))
def test_every_thread_has_the_same_share(blocks, threads):
    order = turns(blocks, threads)
    assert sorted([*order.whole, *order.cut]) == list(range(blocks))
    if blocks <= threads:
        assert not order.cut
        return
    ends = np.zeros(threads)  # list scheduling in the order in which `run_blocks` hands the parts out
    begun = {}
    firsts = sorted(order.cut.items(), key=lambda item: -item[1])
    for number, share in firsts:
        thread = int(ends.argmin())
        ends[thread] += share
        begun[number] = ends[thread]
    for _ in order.whole:
        ends[ends.argmin()] += 1.0
    for number, share in reversed(firsts):
        thread = int(ends.argmin())
        assert ends[thread] >= begun[number] - 1e-9  # no thread waits for a first part
        ends[thread] += 1.0 - share
    assert ends.max() == pytest.approx(blocks / threads)


def stretches(lengths):
    """Return stretches of some intervals each, of which each ends with a sample."""
    found, start, sample = [], 10, 0
    for counts in lengths:
        rows = np.zeros((len(counts), 6), dtype=np.int64)
        rows[:, 0] = counts
        rows[:, 4] = sample + np.arange(len(counts))
        sample += len(counts)
        found.append(Stretch(start, start + sum(counts), rows))
        start += sum(counts)
    return found


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=3),
    st.floats(0.05, 0.95),
)
def test_a_cut_is_inside_an_interval_and_loses_nothing(lengths, share):
    whole = stretches(lengths)
    before, after = divide(whole, share)
    steps = [(s.start + np.cumsum(s.rows[:, 0])).tolist() for s in whole]
    cut = before[-1].stop
    if not after:
        assert all(count == 1 for counts in lengths for count in counts)
        assert [s.stop for s in before] == [s.stop for s in whole]
        return
    assert cut not in {whole[0].start, *(step for some in steps for step in some)}
    assert after[0].start == cut
    assert after[-1].stop == whole[-1].stop
    for part in (*before, *after):
        assert part.rows[:, 0].sum() == part.stop - part.start
        assert (part.rows[:, 0] > 0).all()
    samples = [s for part in (*before, *after) for s in part.rows[:, 4].tolist() if s >= 0]
    assert samples == list(range(sum(map(len, lengths))))
    longest = max(count for counts in lengths for count in counts)
    goal = whole[0].start + share * (whole[-1].stop - whole[0].start)
    assert abs(cut - goal) <= sum(sum(counts) for counts in lengths)
    if longest == sum(sum(counts) for counts in lengths):  # a single interval is cut where it should be
        assert abs(cut - goal) <= 1.0


def recorded(base, change, threads, monkeypatch, *, variables=()):
    spec = NetworkSpec.parse(base).with_values(change)
    plan = RecordPlan(
        windows=(Window("a", 33, 120), Window("b", 100, 190)),
        temporal=frozenset({"b"}),
        trace_every=9,
        variables=variables,
        variables_every=7,
        final_state=bool(variables),
        evidence=True,
    )
    monkeypatch.setattr(cpu.torch, "get_num_threads", lambda: threads)
    model = Network(spec, device="cpu", precision="double")
    program = model.program({"J0.E": np.linspace(1.0, 3.0, 21)}, 21, torch.arange(21))
    with torch.no_grad():
        executor = choose("trajectory", program, plan)
        return executor.run(program, initial_state(program), spec.steps, plan)


def assert_same(a, b):
    for mine, theirs in zip(a.sums, b.sums, strict=True):
        for name in theirs:
            assert torch.equal(mine[name].total, theirs[name].total)
            if theirs[name].squares is not None:
                assert torch.equal(mine[name].squares, theirs[name].squares)
                assert torch.equal(mine[name].mean_squares, theirs[name].mean_squares)
    for kind in ("traces", "plastic", "variables"):
        for name, value in getattr(b, kind).items():
            assert torch.equal(getattr(a, kind)[name], value), name
    if b.final is not None:
        for name, value in b.final.named().items():
            assert torch.equal(a.final.named()[name], value), name


@pytest.mark.parametrize("case", ["ring, everything on", "mixed"])
def test_a_run_cut_in_two_is_the_whole_to_the_last_bit(case, monkeypatch):
    """21 points are three blocks of eight: of two threads, each runs a half of the second."""
    base, change = CASES[case]
    one, two = (recorded(base, change, threads, monkeypatch) for threads in (1, 2))
    assert_same(two, one)


def test_so_is_one_of_spiking_neurons(monkeypatch):
    base, change = SPIKING["sparse"]
    one, two = (recorded(base, change, threads, monkeypatch) for threads in (1, 2))
    assert_same(two, one)


def test_so_is_one_with_whole_variables(monkeypatch):
    wanted = ("rates.E", "stp.EE.u")
    one, two = (recorded(RING, {}, threads, monkeypatch, variables=wanted) for threads in (1, 2))
    assert_same(two, one)


def test_rows_of_lanes_begin_where_cache_lines_do():
    room = np.arange(100, dtype=np.float32)
    for first in range(20):
        placed = aligned(room[first:])
        assert placed.ctypes.data % 64 == 0
        assert np.array_equal(placed, room[first:])
