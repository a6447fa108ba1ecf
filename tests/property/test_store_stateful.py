"""The store against a model in memory, under kills, full disks and damage at random moments."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from neuroflame.columns import Column
from neuroflame.errors import StoreError
from neuroflame.store import StoreWarning, SweepStore, _local, open_table

CALLS = ("open", "write", "fsync", "link", "rename", "unlink")
COLUMNS = (
    Column("point_id", "str"),
    Column("point_index", "int"),
    Column("x", "float", "Hz"),
    Column("s", "series"),
)


class Killed(BaseException):
    """The process is gone: no clean-up of its own gets through to the disk."""


@contextmanager
def failing_at(moment, error):
    """Let the system call number `moment` fail, and, if it is a kill, all that follow."""
    count = 0

    def wrapped(name, call):
        def counting(*arguments, **options):
            nonlocal count
            count += 1
            if count == moment or (count > moment and error is Killed):
                if name == "write":  # half of it reaches the disk
                    call(arguments[0], bytes(arguments[1][: len(arguments[1]) // 2]))
                raise error if error is Killed else OSError(error, os.strerror(error))
            return call(*arguments, **options)

        return counting

    with ExitStack() as stack:
        for name in CALLS:
            stack.enter_context(mock.patch.object(os, name, wrapped(name, getattr(os, name))))
        yield


@contextmanager
def warnings_told(count):
    """Expect a warning for each damaged fragment, and no others."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    told = [str(item.message) for item in caught if item.category is StoreWarning]
    assert len(told) == count, told


def rows(points):
    """Rows that depend on the points alone."""
    indices = np.array(points, dtype=np.int64)
    return {
        "point_id": [identity(point) for point in points],
        "point_index": indices,
        "x": np.sqrt(indices),
        "s": [np.arange(point % 3) for point in points],
    }


def identity(point):
    return f"{point * 2654435761 % 2**64:016x}"


names = st.sampled_from(["a", "b", "c", "d"])
points = st.lists(st.integers(0, 12), min_size=1, max_size=4, unique=True)
folders = st.sampled_from(["parts", "asks"])


class StoreMachine(RuleBasedStateMachine):
    """What is on disk equals what the model says, whatever happened."""

    def __init__(self):
        super().__init__()
        self.root = tempfile.mkdtemp(prefix="neuroflame-store-")
        self.path = os.path.join(self.root, "sweep")
        self.stack = ExitStack()
        self.stack.enter_context(mock.patch.object(_local, "CLAIM_PATIENCE", 0.02))
        self.manifest = None
        self.model = {"parts": {}, "asks": {}}
        self.damaged = {"parts": set(), "asks": set()}
        self.records = 0

    def teardown(self):
        self.stack.close()
        shutil.rmtree(self.root)

    @initialize(hard_links=st.booleans(), moments=st.lists(st.integers(1, 12), max_size=4))
    def create(self, hard_links, moments):
        """Create the sweep, killed some times on the way, on a disk with or without hard links."""
        if not hard_links:
            refusal = OSError(errno.EPERM, "no hard links here")
            self.stack.enter_context(mock.patch.object(os, "link", mock.Mock(side_effect=refusal)))
        with pytest.raises(StoreError, match="holds no sweep"):
            self.store()
        for number, moment in enumerate([*moments, 10**6]):
            self.create_again(moment, number)
        assert self.manifest is not None

    def store(self):
        return SweepStore.open(self.path)

    def file(self, folder, name):
        return Path(self.path, folder, f"{name}.parquet")

    def write(self, folder, name, chosen):
        store = self.store()
        write = store.write_fragment if folder == "parts" else store.write_ask
        return write(name, COLUMNS, rows(chosen), {"tile": name})

    @rule(moment=st.integers(1, 12), number=st.integers(0, 3))
    def create_again(self, moment, number):
        """Create the sweep, killed now and then: once it is there nobody creates it again."""
        try:
            with failing_at(moment, Killed):
                SweepStore.create(self.path, {"number": number})
        except Killed:
            pass
        except StoreError as told:
            assert self.manifest is not None
            said = str(told)
            assert "already holds a sweep" in said
        else:
            assert self.manifest is None
        if self.manifest is None and os.path.exists(os.path.join(self.path, "manifest.json")):
            self.manifest = number

    @rule(folder=folders, name=names, chosen=points)
    def publish(self, folder, name, chosen):
        known = self.model[folder].get(name)
        whole = known is not None and name not in self.damaged[folder]
        if whole and set(known) != set(chosen):
            with pytest.raises(StoreError, match="other points"):
                self.write(folder, name, chosen)
            return
        with warnings_told(name in self.damaged[folder]):
            assert self.write(folder, name, chosen) is not whole
        if not whole:
            self.model[folder][name] = chosen
            self.damaged[folder].discard(name)

    @rule(
        folder=folders,
        name=names,
        chosen=points,
        moment=st.integers(1, 9),
        error=st.sampled_from([Killed, errno.ENOSPC, errno.EIO]),
    )
    def publish_in_trouble(self, folder, name, chosen, moment, error):
        if name in self.damaged[folder] or name in self.model[folder]:
            chosen = self.model[folder][name]
        if name in self.damaged[folder]:
            return
        try:
            with failing_at(moment, error):
                new = self.write(folder, name, chosen)
        except Killed:
            assert error is Killed
        except StoreError as told:
            assert error is not Killed
            said = str(told)
            assert ("disk is full" in said) == (error == errno.ENOSPC)
        else:
            assert new == (name not in self.model[folder])
        if self.file(folder, name).exists():
            self.model[folder].setdefault(name, chosen)

    @rule(folder=folders, name=names, where=st.floats(0, 1, exclude_max=True), cut=st.booleans())
    def damage(self, folder, name, where, cut):
        if name not in self.model[folder] or name in self.damaged[folder]:
            return
        blob = bytearray(self.file(folder, name).read_bytes())
        place = int(where * len(blob))
        if cut:
            del blob[place:]
        else:
            blob[place] ^= 0x04
        self.file(folder, name).write_bytes(blob)
        self.damaged[folder].add(name)

    @rule()
    def resume(self):
        with warnings_told(len(self.damaged["parts"]) + len(self.damaged["asks"])):
            store = self.store()
            finished, asks = store.finished(), store.read_asks()
        for folder in ("parts", "asks"):
            for name in self.damaged[folder]:
                del self.model[folder][name]
                self.records += 1
            self.damaged[folder].clear()
        assert finished == {
            name: [identity(point) for point in chosen]
            for name, chosen in sorted(self.model["parts"].items())
        }
        assert list(finished) == sorted(finished)
        assert {name: ask["point_index"] for name, ask in asks.items()} == self.model["asks"]
        assert len(store.read_records("warning")) >= self.records

    @rule()
    def read(self):
        with warnings_told(len(self.damaged["parts"])):
            table = open_table(self.path)
        whole = [chosen for name, chosen in self.model["parts"].items() if name not in self.damaged["parts"]]
        expected = sorted({point for chosen in whole for point in chosen})
        assert len(table) == len(expected)
        assert table.manifest["number"] == self.manifest
        if expected:
            found = table.to_arrow().to_pydict()
            assert found["point_index"] == expected
            assert found["point_id"] == [identity(point) for point in expected]
            assert found["x"] == [float(np.sqrt(point)) for point in expected]
            assert found["s"] == [list(range(point % 3)) for point in expected]
            assert table.columns["x"].unit == "Hz"

    @invariant()
    def only_known_files_are_visible(self):
        for folder, known in self.model.items():
            there = Path(self.path, folder)
            found = {path.name for path in there.iterdir()} if there.exists() else set()
            assert found == {f"{name}.parquet" for name in known}


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
CELLS = {
    "float": st.none() | st.floats(),
    "int": st.none() | st.integers(-(2**63), 2**63 - 1),
    "bool": st.none() | st.booleans(),
    "str": st.none() | text,
    "series": st.none() | st.lists(st.floats(width=32), max_size=3),
}


@st.composite
def tables(draw):
    kinds = draw(
        st.dictionaries(
            text.filter(lambda name: name != "point_id"), st.sampled_from(sorted(CELLS)), max_size=4
        )
    )
    columns = [Column("point_id", "str")] + [
        Column(name, kind, draw(text), draw(text)) for name, kind in kinds.items()
    ]
    length = draw(st.integers(0, 3))
    data = {
        name: draw(st.lists(CELLS[kind], min_size=length, max_size=length)) for name, kind in kinds.items()
    }
    return columns, {"point_id": [f"{row}" for row in range(length)], **data}


@given(table=tables(), metadata=st.dictionaries(st.just("about") | text.map("x.{}".format), text, max_size=2))
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_comes_back(table, metadata):
    columns, data = table
    with tempfile.TemporaryDirectory() as directory:
        store = SweepStore.create(directory, {})
        store.write_fragment("t", columns, data, metadata)
        read = store.table()
        assert list(read.columns.values()) == columns
        assert read.metadata == {"t": metadata}
        assert repr(read.to_arrow().to_pydict()) == repr(data)  # repr: NaN equals NaN
