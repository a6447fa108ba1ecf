"""Workers of unequal speed end together: the scheduling, with workers and a clock that are simulated."""

import heapq
from types import SimpleNamespace

import numpy as np
import pytest

from neuroflame.sweep import controller, cost, flights
from neuroflame.sweep.backend import Backend, Resources
from neuroflame.sweep.flights import Busy, Flights
from neuroflame.sweep.pace import Pace
from neuroflame.sweep.progress import Progress
from neuroflame.sweep.running import start
from neuroflame.sweep.shares import LAST_S, Actor, last_size
from neuroflame.sweep.tiles import make_tile, parse_ref
from neuroflame.sweep.worker import TileResult
from tests.unit.test_points import block_of
from tests.unit.test_sweep_spec import sweep

BETWEEN_S = 0.05  # what a tile costs beside its simulation: the upper end of what was measured of Tune


class Simulated(Backend):
    """Workers that take start + point·(its number of points) seconds, times a slowness of their own.

    Parameters
    ----------
    clock : list of float
        The time, which runs from tile to tile.
    slowness : list of float
        One number a worker.
    noise : float
        Standard deviation of the logarithm of a tile's time.
    first : float
        Seconds more that a worker's first tile takes.
    """

    def __init__(self, clock, slowness, *, point=0.01, start=0.0, noise=0.0, first=0.0, seed=0):
        self.clock, self.slowness = clock, slowness
        self.point, self.start, self.noise, self.first = point, start, noise, first
        self.random = np.random.default_rng(seed)
        self.tiles = {worker: [] for worker in range(len(slowness))}  # (begin, end, points)

    def check(self):
        pass

    def open(self):
        return Resources(actors=len(self.slowness), cuda=False, about="simulated")

    def close(self):
        pass

    def run(self, job, feed):
        free, busy = set(self.tiles), []
        while not feed.done:
            for worker in sorted(free, key=lambda one: (feed.slowness(str(one)), one)):
                ref = feed.next()
                if ref is None:
                    break
                free.discard(worker)
                feed.began(ref, str(worker))
                tile, earlier = parse_ref(ref), self.tiles[worker]
                seconds = self.slowness[worker] * (self.start + self.point * len(tile.ranks))
                seconds *= np.exp(self.noise * self.random.standard_normal())
                begin, seconds = self.clock[0] + BETWEEN_S, seconds + self.first * (not earlier)
                result = TileResult(tile.id, len(tile.ranks), 0, 0, seconds, first=not earlier)
                earlier.append((begin, begin + seconds, len(tile.ranks)))
                heapq.heappush(busy, (begin + seconds, worker, result))
            assert busy, "nobody has a tile, and there is something left"
            self.clock[0], worker, result = heapq.heappop(busy)
            free.add(worker)
            feed.finished(result)

    @property
    def count(self):
        return sum(map(len, self.tiles.values()))

    def waits(self):
        """Return, for each worker, how long it is idle before the end, and how long its own tiles took."""
        end = max(tiles[-1][1] for tiles in self.tiles.values() if tiles)
        return [
            (end - tiles[-1][1], [last - begin for begin, last, _ in tiles])
            for tiles in self.tiles.values()
            if tiles
        ]

    def efficiency(self):
        """Return the time that the points alone would take, ideally shared out, over what it took."""
        points = sum(points for tiles in self.tiles.values() for *_, points in tiles)
        speed = sum(1 / (self.point * slowness) for slowness in self.slowness)
        end = max(tiles[-1][1] for tiles in self.tiles.values() if tiles)
        return points / speed / (end - 100.0)


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    for module in (flights, controller):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def simulate(clock, points, slowness, out, *, compute=None, **options):
    backend = Simulated(clock, slowness, **options)
    axis = {"J.EE": {"from": 0.0, "to": 9.0, "num": points}}
    outcome = start(sweep(space=axis, compute=compute or {}), str(out), backend=backend, progress=Progress())
    assert outcome.status.done == points
    return backend


# --- one decision


def test_a_share_follows_speed_and_shrinks():
    """Of 1,000 points a worker four times as fast as the other should have 800, and gets half of it at once."""
    fast, slow = Actor(0.01), Actor(0.04)
    assert last_size(1000, fast, [slow]) == pytest.approx(400)
    assert last_size(1000, slow, [fast]) == pytest.approx(100)
    assert last_size(1000, slow, [Actor(0.01, free_in=6.0)]) == pytest.approx(
        160
    )  # 40 s of 0.8 + 6 s, and 0.2


def test_what_is_short_is_not_divided():
    assert last_size(100, Actor(0.01), [Actor(0.01)]) == pytest.approx(50)  # half a second
    alone = last_size(100, Actor(0.01), [Actor(0.01, free_in=9.0)], overhead=500)
    assert alone == pytest.approx(100)  # done after 6 s, the other would not have begun


def test_one_that_would_be_the_last_gets_nothing():
    """If others are busy, and only then."""
    slow = Actor(1.0)
    assert last_size(20, slow, [Actor(0.1, free_in=0.5)], unit=16) == 0
    assert last_size(20, slow, [Actor(0.1)], unit=16) == 16
    assert last_size(20, slow, [Actor(0.1, free_in=30.0)], unit=16) == 16


def test_what_is_late_is_not_waited_for_without_end():
    model = cost.CostModel(sweep(), actors=2)
    for worker, seconds in (("slow", 1.6), ("fast", 0.16)):
        for count in (16, 32):
            model.observe(count, seconds * count / 16, worker=worker)
    late = [model.size(16, free=["slow"], busy=[Busy("fast", 32, elapsed)]) for elapsed in (0.1, 0.4, 5.0)]
    assert late == [0, 0, 16]


def test_a_worker_that_is_new_counts_as_usual_and_one_that_began_as_slow():
    pace = Pace()
    pace.observe("a", 64, 10.0, first=True)
    assert pace.slowness("a") == pace.slowness("b") == pytest.approx(10 / 64)
    for count in (64, 256):
        pace.observe("a", count, 1.0 + 0.01 * count, first=False)
    assert pace.overhead == pytest.approx(100, rel=0.1)
    assert pace.slowness("a") == pace.slowness("b") == pytest.approx(0.01, rel=0.1)
    pace.observe("b", 64, 16.4, first=True)
    assert pace.slowness("b") == pytest.approx(0.1, rel=0.1)
    pace.forget("b")
    assert pace.slowness("b") == pace.slowness("a")


def test_slow_workers_do_not_pass_for_overhead():
    """Of tiles of one size each, the slower's smaller, nothing can be told; of varied ones what holds for both."""
    pace = Pace()
    for _ in range(8):
        pace.observe("slow", 100, 4.0, first=False)
        pace.observe("fast", 400, 4.0, first=False)
    assert pace.overhead is None
    pace.observe("fast", 100, 1.0, first=False)
    assert pace.overhead == 0


def test_free_workers_are_those_heard_of_last():
    """A worker whose machine goes while it has no tile is never lost."""
    block = block_of(sweep(space={"J.EE": list(range(8))}))
    some = Flights(retries=0)
    for rank, worker in enumerate("abc"):
        tile = make_tile(block, 0, np.array([rank]))
        some.depart(tile, 1.0)
        some.begin(tile.id, worker)
        assert some.busy[0].worker == worker
        some.land(tile.id)
    assert some.free(3) == ["a", "b", "c"]
    assert some.free(2) == ["b", "c"]
    some.depart(tile, 1.0)
    assert some.free(2) == ["c"]
    some.begin(tile.id, "c")
    assert some.crash(tile.id, "", block).worker == "c"
    assert some.free(3) == ["a", "b"]


# --- whole sweeps

SPEEDS = {
    "1:4": [4, 1],
    "1:10": [10, 1],
    "1:1": [1, 1],
    "1:4 of eight": [4, 1, 1, 1, 1, 1, 1, 1],
    "half are slow": [4, 4, 4, 4, 1, 1, 1, 1],
    "all differ": [1, 1.5, 2, 3, 4, 6],
    "one fast": [8, 8, 8, 1],
}


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("points", [2_000, 8_000, 40_000])
@pytest.mark.parametrize("slowness", SPEEDS.values(), ids=SPEEDS)
def test_nobody_waits_for_longer_than_a_tile_of_its_own(slowness, points, noise, clock, tmp_path):
    """At the end of a sweep, whatever the speeds are; and hardly anything is lost on it."""
    ran = simulate(clock, points, slowness, tmp_path / "out", noise=noise)
    for wait, tiles in ran.waits():
        assert wait <= max(tiles)
        assert points < 40_000 or wait <= 2 * LAST_S
    assert ran.efficiency() > {2_000: 0.4, 8_000: 0.7, 40_000: 0.9}[points]


@pytest.mark.parametrize("slowness", SPEEDS.values(), ids=SPEEDS)
@pytest.mark.parametrize(
    "options",
    [{"start": 0.5}, {"start": 3.0, "point": 0.001}, {"first": 8.0}, {"noise": 0.4}, {"point": 0.5}],
    ids=["overhead", "mostly overhead", "slow to start", "noise", "dear points"],
)
def test_nobody_waits_for_longer_than_its_longest_tile(options, slowness, clock, tmp_path):
    """Also where tiles cost much beside their points, take varied times, or cannot be small."""
    ran = simulate(clock, 20_000, slowness, tmp_path / "out", **options)
    for wait, tiles in ran.waits():
        assert wait <= max(tiles)


@pytest.mark.parametrize(("tile", "points"), [(1, 1_000), (7, 3_000), (64, 10_000), (300, 30_000)])
@pytest.mark.parametrize("slowness", SPEEDS.values(), ids=SPEEDS)
def test_a_size_that_is_given_is_the_most(tile, points, slowness, clock, tmp_path):
    ran = simulate(clock, points, slowness, tmp_path / "out", compute={"tile": tile}, noise=0.1)
    sizes = [size for tiles in ran.tiles.values() for *_, size in tiles]
    assert max(sizes) == tile
    assert np.mean(np.array(sizes) == tile) > 0.5
    for wait, tiles in ran.waits():
        assert wait <= max(tiles) + 10 * BETWEEN_S


@pytest.mark.parametrize("slowness", [[1, 1], [4, 1], [1] * 16, [4] * 8 + [1] * 8], ids=str)
def test_many_points_are_few_tiles_and_little_is_lost_between_them(slowness, clock, tmp_path):
    """10^5 points that take some minutes."""
    ran = simulate(clock, 100_000, slowness, tmp_path / "out", noise=0.1, point=0.004)
    assert ran.count <= 400
    assert ran.efficiency() > 0.95
