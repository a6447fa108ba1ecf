"""Every row of the benchmarks at toy size on a GPU."""

import math

import pytest

from benchmarks.row import Options
from benchmarks.rows import BENCHMARKS

pytestmark = pytest.mark.gpu
ON_GPUS = [benchmark for benchmark in BENCHMARKS if "cuda" in benchmark.devices]


@pytest.mark.parametrize("measured", ON_GPUS, ids=lambda measured: measured.name)
def test_a_row_runs(measured):
    outcome = measured.measure(Options("cuda", smoke=True, repetitions=1))
    assert all(row.measured is None or math.isfinite(row.measured) for row in outcome.rows)
