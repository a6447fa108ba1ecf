"""From points to rows, with a stand-in for the simulator."""

import numpy as np
import pytest
import torch

from neuroflame.columns import Column
from neuroflame.errors import BackendError, SimulationError
from neuroflame.sweep.evaluate import evaluate, failed_rows
from tests.e2e.simulators import Measured
from tests.unit.test_points import block_of
from tests.unit.test_sweep_controller import plain
from tests.unit.test_sweep_spec import sweep

COLUMNS = (Column("status", "str"), Column("t_fail", "float", "s"), Column("rate.E.mean", "float", "Hz"))


class Simulator:
    """Returns J.EE as the rate; fails as it is told; remembers its calls."""

    def __init__(self, fails=lambda values: None):
        self.fails, self.calls = fails, []

    def __call__(self, network, values, *, graph, seeds, initial, **options):
        self.calls.append((network, dict(values), graph, seeds, list(initial), options))
        for value in values["J.EE"]:
            if error := self.fails(value):
                raise error
        count = len(seeds)
        diverged = values["J.EE"] > 90
        return Measured(
            COLUMNS,
            {
                "status": np.where(diverged, "diverged", "ok").astype(object),
                "t_fail": np.where(diverged, 0.5, np.nan),
                "rate.E.mean": np.asarray(values["J.EE"], dtype=float),
            }
            if count
            else {},
        )


def points_of(spec):
    return block_of(spec).points(np.arange(spec.points))


LEVELS = [float(i) for i in range(13)]


def test_rows_say_what_the_point_is_and_what_came_out():
    spec = sweep(space={"J.EE": [1, 99]}, repeat={"seeds": 2})
    rows = evaluate(spec, points_of(spec), Simulator())
    assert [column.name for column in rows.columns] == [
        *("point_id", "point_index", "point.J.EE", "graph", "seed", "initial_condition"),
        *("status", "t_fail", "error", "rate.E.mean"),
    ]
    assert rows.data["rate.E.mean"] == [1.0, 1.0, 99.0, 99.0]
    assert rows.data["seed"].tolist() == [0, 1, 0, 1]
    assert rows.data["status"] == ["ok", "ok", "diverged", "diverged"]
    assert rows.data["error"] == [None] * 4
    assert (rows.executor, rows.device, rows.pieces) == ("pretend", "cpu", 1)


def test_structural_values_go_into_the_network_and_others_into_the_batch():
    spec = sweep(space={"populations.I.size": [12], "J.EE": [1, 2]}, repeat={"graphs": [5]}, window=0.01)
    simulator = Simulator()
    evaluate(spec, points_of(spec), simulator, device="somewhere", engines="kept")
    ((network, values, graph, seeds, initial, options),) = simulator.calls
    assert network.populations["I"].size == 12
    assert list(values) == ["J.EE"]
    assert graph == 5
    assert seeds.tolist() == [0, 0]
    assert initial == ["network", "network"]
    assert options == {
        "measure": ("rates", "bump"),
        "dynamics": spec.dynamics,
        "window": 0.01,
        "traces": True,
        "device": "somewhere",
        "precision": "exact",
        "executor": "auto",
        "engines": "kept",
    }


@pytest.mark.parametrize("bad", [[], [0], [12], [3, 4], [0, 12], LEVELS])
def test_errors_are_isolated(bad):
    spec = sweep(space={"J.EE": LEVELS})
    simulator = Simulator(lambda value: RuntimeError(f"no {value:g}\nplease") if value in bad else None)
    rows = evaluate(spec, points_of(spec), simulator)
    expected = ["failed" if value in bad else "ok" for value in LEVELS]
    assert rows.data["status"] == expected
    assert rows.count("failed") == len(bad)
    for value, error in zip(LEVELS, rows.data["error"], strict=True):
        assert error == (f"RuntimeError: no {value:g} please" if value in bad else None)
    if len(bad) < len(LEVELS):
        assert rows.data["rate.E.mean"] == [None if value in bad else value for value in LEVELS]
    if len(bad) == 1:
        assert len(simulator.calls) <= 2 * 4 + 1


def test_too_much_at_once_is_done_in_pieces():
    def simulator(network, values, **options):
        if len(values["J.EE"]) > 4:
            raise MemoryError("too much")
        return Simulator()(network, values, **options)

    spec = sweep(space={"J.EE": LEVELS})
    rows = evaluate(spec, points_of(spec), simulator)
    assert rows.count("ok") == len(LEVELS)
    assert rows.data["rate.E.mean"] == LEVELS
    assert rows.pieces == 4


class Small(Simulator):
    """Raises what a full memory raises where there are more points than so many; remembers how many it got."""

    def __init__(self, room, error, fails=lambda values: None):
        super().__init__(fails)
        self.room, self.error, self.sizes = room, error, []

    def __call__(self, network, values, **options):
        self.sizes.append(len(options["seeds"]))
        if len(options["seeds"]) > self.room:
            raise self.error
        return super().__call__(network, values, **options)


@pytest.mark.parametrize("room", [1, 2, 3, 12])
@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()], ids=type)
def test_what_does_not_fit_into_the_memory_is_done_in_halves(room, error):
    """The rows are the same, and how many points were too many is told."""
    spec = sweep(space={"J.EE": LEVELS})
    whole, small = evaluate(spec, points_of(spec), Simulator()), Small(room, error)
    rows = evaluate(spec, points_of(spec), small)
    assert [plain(list(cells)) for cells in rows.data.values()] == [
        plain(list(cells)) for cells in whole.data.values()
    ]
    assert rows.too_many == min(size for size in small.sizes if size > room)
    assert whole.too_many == 0


def test_a_point_that_fits_into_no_memory_has_failed():
    spec = sweep(space={"J.EE": LEVELS})
    rows = evaluate(
        spec, points_of(spec), Simulator(lambda value: MemoryError("big") if value == 3 else None)
    )
    assert [status == "failed" for status in rows.data["status"]] == [value == 3 for value in LEVELS]
    assert rows.too_many == 1


def test_an_error_of_a_point_is_no_lack_of_memory():
    spec = sweep(space={"J.EE": LEVELS})
    rows = evaluate(spec, points_of(spec), Simulator(lambda value: RuntimeError() if value == 3 else None))
    assert rows.pieces > 1
    assert rows.too_many == 0


def test_a_device_that_is_lost_ends_the_worker():
    """It would answer every other point with the same error."""
    spec = sweep(space={"J.EE": LEVELS})
    lost = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    with pytest.raises(torch.AcceleratorError):
        evaluate(spec, points_of(spec), Simulator(lambda value: lost if value == 3 else None))


def test_a_network_that_cannot_be_is_a_failed_point():
    spec = sweep(space={"populations.I.size": [5, 12], "connectivity.K": [4, 9], "J.EE": [1]})
    block = block_of(spec)
    found = {}
    for first, last in zip(block.bounds[:-1], block.bounds[1:], strict=True):
        points = block.points(np.arange(first, last))
        rows = evaluate(spec, points, Simulator())
        found[points.values["populations.I.size"][0], points.values["connectivity.K"][0]] = rows
    assert {key: rows.data["status"] for key, rows in found.items()} == {
        (5, 4.0): ["ok"],
        (5, 9.0): ["failed"],
        (12, 4.0): ["ok"],
        (12, 9.0): ["ok"],
    }
    assert "size of I" in found[5, 9.0].data["error"][0]


def test_what_concerns_the_machine_is_raised():
    spec = sweep(space={"J.EE": LEVELS})
    with pytest.raises(BackendError):
        evaluate(spec, points_of(spec), Simulator(lambda value: BackendError("no GPU")))


def test_what_concerns_all_points_alike_is_raised():
    spec = sweep(space={"J.EE": LEVELS})
    with pytest.raises(SimulationError, match="no such device"):
        evaluate(spec, points_of(spec), Simulator(lambda value: SimulationError("no such device")))
    one = Simulator(lambda value: SimulationError("not here") if value == 3 else None)
    assert evaluate(spec, points_of(spec), one).count("failed") == 1


def test_an_interrupt_is_not_an_error_of_a_point():
    spec = sweep(space={"J.EE": LEVELS})
    with pytest.raises(KeyboardInterrupt):
        evaluate(spec, points_of(spec), Simulator(lambda value: KeyboardInterrupt()))


def test_a_measure_that_loses_points_is_an_error():
    def simulator(network, values, **options):
        found = Simulator()(network, values, **options)
        return Measured(found.columns, {name: data[:-1] for name, data in found.data.items()})

    spec = sweep(space={"J.EE": [1, 2]})
    rows = evaluate(spec, points_of(spec), simulator)
    assert rows.count("failed") == 2


def test_a_long_error_is_cut():
    spec = sweep(space={"J.EE": [1]})
    rows = evaluate(spec, points_of(spec), Simulator(lambda value: RuntimeError("x" * 9999)))
    assert len(rows.data["error"][0]) <= 500


def test_rows_of_points_whose_worker_died():
    spec = sweep(space={"J.EE": [1, 2]})
    rows = failed_rows(spec, points_of(spec), "gone")
    assert rows.data["error"] == ["gone", "gone"]
    assert rows.count("failed") == 2
