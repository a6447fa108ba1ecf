"""Random damage at random moments, again and again: at the end the table is that of a run in which nothing was wrong.

``NEUROFLAME_TEST_CHAOS`` is the number of stories for each kind of sweep, ``NEUROFLAME_TEST_SEED`` the first seed.
"""

import os
import random
import shutil
import warnings

import pytest

from neuroflame.errors import Interrupted
from neuroflame.store import StoreWarning, SweepStore
from neuroflame.sweep.running import start
from tests.unit.test_boundary_sweep import BOUNDARY
from tests.unit.test_sweep_controller import GRID, SEARCHES, Stop, rows, run
from tests.unit.test_sweep_spec import sweep

SEED = int(os.environ.get("NEUROFLAME_TEST_SEED", "0"))
STORIES = int(os.environ.get("NEUROFLAME_TEST_CHAOS", "3"))
KINDS = {"grid": GRID, "tpe": SEARCHES["tpe"], "nsga2": SEARCHES["nsga2"], "boundary": BOUNDARY}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Return the rows of each kind of sweep, undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    for kind, changes in KINDS.items():
        run(sweep(**changes), folder / kind)
    return {kind: rows(folder / kind) for kind in KINDS}


def cut_short(path, chance):
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def flip_a_bit(path, chance):
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def blank_a_page(path, chance):
    """As a file system leaves it that lost power before it wrote the block."""
    data = bytearray(path.read_bytes())
    begin = chance.randrange(len(data))
    data[begin : begin + 4096] = bytes(len(data[begin : begin + 4096]))
    path.write_bytes(data)


def exchange(path, chance):
    """Put another tile's rows under its name."""
    other = chance.choice(sorted(path.parent.iterdir()))
    if other != path:
        shutil.copyfile(other, path)


def lose(path, chance):
    path.unlink()


def leave_half(path, chance):
    """As a writer that was killed."""
    (path.parents[1] / "tmp" / f"{chance.randbytes(8).hex()}-{path.name}").write_bytes(
        path.read_bytes()[:300]
    )


DAMAGE = [cut_short, flip_a_bit, blank_a_page, exchange, lose, leave_half]


def disturb(out, chance):
    """Do something bad to some of the files; return what."""
    done = []
    for _ in range(chance.randint(1, 4)):
        files = sorted(path for folder in ("parts", "asks") for path in (out / folder).glob("*.parquet"))
        if not files:
            break
        path, damage = chance.choice(files), chance.choice(DAMAGE)
        if path.stat().st_size:
            damage(path, chance)
            done.append(f"{damage.__name__} {path.parent.name}/{path.name}")
    for name in ("hold.json", "hold.lock"):
        if chance.random() < 0.3 and (out / name).exists():
            (out / name).write_bytes(chance.randbytes(chance.randrange(200)))
            done.append(name)
    records = sorted((out / "records").iterdir())
    if records and chance.random() < 0.3:
        cut_short(chance.choice(records), chance)
        done.append("a record")
    return done


@pytest.mark.parametrize("story", range(SEED, SEED + STORIES))
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_happens_to_its_files(kind, story, expected, tmp_path):
    chance, out = random.Random(f"{kind} {story}"), tmp_path / "out"
    happened = []
    for _ in range(chance.randint(2, 5)):
        tile = chance.choice([1, 2, 3, 7, 20])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StoreWarning)
            try:
                run(sweep(**KINDS[kind], compute={"tile": tile}), out, progress=Stop(chance.randint(1, 12)))
            except Interrupted:
                happened.append(f"tiles of {tile}, stopped")
            if chance.random() < 0.2:
                SweepStore.open(out).compact()
                happened.append("compacted")
        happened += disturb(out, chance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        outcome = start(
            sweep(**KINDS[kind]), str(out), backend="inline", measure="tests.e2e.simulators:cheap"
        )
    assert outcome.status.failed == 0
    assert rows(out) == expected[kind], happened
