"""The stepped kernels, on a CPU in Triton's interpreter, against the reference; and how tiles are shared out.

The interpreter runs one program after the other: here one program has all tiles of a block of points.
"""

from functools import partial

import numpy as np
import pytest
import torch

from neuroflame.core.executors import REFERENCE
from neuroflame.core.recorder import RecordPlan, Sampling
from neuroflame.core.stepped import SteppedExecutor
from neuroflame.core.stepped.tiling import LARGE, SMALL, Crew, crew_for, padded, steps_at_once, tiling_of
from tests.gpu.helpers import (
    check_alone,
    check_divergence,
    check_halves,
    check_reference,
    plan_of,
    points,
    run,
    worst,
)
from tests.unit import interpreted as interpreter
from tests.unit.interpreted import VALUES, first_test, interpreted
from tests.unit.test_trajectory import CASES, SPARSE

OURS = SteppedExecutor(Crew(1, 1))
small = partial(interpreter.small, sizes={"E": 90, "I": 21})

test_in_a_process_that_interprets = first_test(__file__)


@interpreted
@pytest.mark.parametrize(
    ("case", "dtype", "tolerance"),
    [
        *((case, torch.float64, 1e-12) for case in CASES),
        *((case, torch.float32, 1e-4) for case in ("sparse", "mixed")),
    ],
)
def test_recordings_are_those_of_the_reference(case, dtype, tolerance):
    program, state = points(small(case, steps=21), VALUES, [0, 1], dtype=dtype)
    plan = plan_of(21)
    check_reference(OURS, program, state, plan, tolerance)


@interpreted
def test_fast_products_are_rounded_to_eleven_bits():
    from dataclasses import replace

    program, state = points(small("sparse", steps=21), VALUES, [0, 1], dtype=torch.float32)
    plan = plan_of(21)
    reference = run(REFERENCE, program, state, plan)
    exact, _ = worst(run(OURS, program, state, plan), reference)
    fast, where = worst(run(OURS, replace(program, fast=True), state, plan), reference)
    assert exact < 1e-4 < fast < 1e-2, where


@interpreted
def test_variables_windows_and_final_state_together():
    program, state = points(small("mixed", steps=13), VALUES, [0, 1])
    plan = plan_of(13, variables=tuple(state.named()), variables_every=4, final_state=True)
    check_reference(OURS, program, state, plan, 1e-12)


@interpreted
@pytest.mark.parametrize("case", ["sparse", "mixed"])
@pytest.mark.parametrize("longest", [1000, 4])
def test_evidence_of_regimes(monkeypatch, case, longest):
    """Plastic pairs are sampled as the next step finds them, where a launch ends too."""
    monkeypatch.setattr("neuroflame.core.stepped.job.steps_at_once", lambda sizes: longest)
    program, state = points(small(case, steps=13), VALUES, [0, 1])
    plan = plan_of(13, evidence=True, samplings=(Sampling(2, 13, 2), Sampling(3, 12, 1)))
    ours = run(OURS, program, state, plan)
    assert ours.plastic
    difference, where = worst(ours, run(REFERENCE, program, state, plan))
    assert difference < 1e-12, where


@interpreted
def test_two_halves_are_the_whole_to_the_last_bit():
    program, state = points(small("mixed", steps=13), VALUES, [0, 1], dtype=torch.float32)
    check_halves(OURS, program, state, 6)


@interpreted
def test_a_point_does_not_depend_on_its_tile():
    rng = np.random.default_rng(1)
    values = {"J.EE": rng.uniform(2, 6, 40), "J0.E": rng.uniform(0.5, 3, 40)}
    check_alone(OURS, small("mixed", steps=9), values, ([35], [33, 2]))


@interpreted
def test_a_diverging_point_is_labelled_and_touches_no_other():
    check_divergence(OURS, SPARSE, {"duration": 0.035}, [0.5, 80.0, 0.7])


# --- without running a kernel -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tiles", "blocks", "capacity"), [(40, 7, 396), (240, 4, 132), (1, 1, 132), (9, 50, 60)]
)
def test_a_crew_fits_the_device_and_covers_all(tiles, blocks, capacity):
    crew = crew_for(tiles, blocks, capacity)
    assert 1 <= crew.members <= tiles
    assert 1 <= crew.blocks <= blocks
    assert crew.members * crew.blocks <= capacity


def test_a_small_tile_of_points_gets_a_program_for_each_tile_of_neurons():
    assert crew_for(40, 7, 396) == Crew(40, 7)
    assert crew_for(40, 1, 396) == Crew(40, 1)


def test_large_networks_get_large_tiles_and_short_launches():
    assert tiling_of((2000, 500)) is SMALL
    assert tiling_of((24000, 6000)) is LARGE
    assert steps_at_once((2000, 500)) == 1000
    assert 1 <= steps_at_once((80000, 20000)) < 100
    assert [padded(size, 64) for size in (1, 64, 65)] == [64, 64, 128]


def test_what_it_cannot_run_is_refused_with_the_reason():
    program, _ = points(small("sparse"), VALUES, [0])
    assert "is on cpu" in OURS.refuses(program, RecordPlan())
