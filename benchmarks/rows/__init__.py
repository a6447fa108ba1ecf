"""The rows of the table of targets, one module each."""

from benchmarks.row import Benchmark
from benchmarks.rows import (
    balanced_ring,
    commands,
    memory,
    one_point,
    one_tile,
    orchestration,
    ring,
    sparse_30720,
    sparse_100000,
    spiking,
    topology,
    training,
)

BENCHMARKS: tuple[Benchmark, ...] = (
    ring.BENCHMARK,
    one_tile.BENCHMARK,
    balanced_ring.BENCHMARK,
    one_point.BENCHMARK,
    sparse_30720.BENCHMARK,
    sparse_100000.BENCHMARK,
    spiking.BENCHMARK,
    topology.BENCHMARK,
    training.BENCHMARK,
    memory.BENCHMARK,
    orchestration.BENCHMARK,
    commands.BENCHMARK,
)
