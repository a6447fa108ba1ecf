"""Drawing the connections of 30,000 neurons with 1,000 inputs a pair."""

import torch

from benchmarks import networks
from benchmarks.record import median_seconds
from benchmarks.row import Benchmark, Options, Outcome, Row
from neuroflame.core.measure import EngineCache

SECONDS = 1.0


def measure(options: Options) -> Outcome:
    sweep = networks.sparse(24000, 6000, 1000, 1)
    if options.smoke:
        sweep = sweep.toy()
    device = torch.device(options.device)

    def draw() -> int:
        made = EngineCache().operators(sweep.spec, 0, device)
        return sum(operator.indices.numel() for operator in made.values())

    connections = draw()  # compiles
    seconds, taken = median_seconds(draw, options.device, options.repetitions)
    row = Row("drawing", seconds, "s", SECONDS)
    return Outcome([row], {"connections": connections, "spread": (max(taken) - min(taken)) / seconds})


BENCHMARK = Benchmark("topology", "30,000 neurons, 1,000 inputs a pair", measure)
