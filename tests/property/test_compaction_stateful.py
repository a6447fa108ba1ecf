"""Compaction against a model in memory: killed at random moments, while tables are open and tiles come in."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from neuroflame.columns import Column
from neuroflame.store import SweepStore, open_table
from tests.property.test_store_stateful import Killed, failing_at, identity, rows

COLUMNS = (
    Column("point_id", "str"),
    Column("point_index", "int"),
    Column("x", "float", "Hz"),
    Column("s", "series"),
    Column("status", "str"),
)
FAILED = tuple(column for column in COLUMNS if column.name not in {"x", "s"})
TARGETS = st.sampled_from([1, 6_000, 2**27])
"""Bytes: every file large at once, a few fragments to a file, all in one."""


class CompactionMachine(RuleBasedStateMachine):
    """Readers and resumed sweeps see the same whether, and however far, fragments were compacted."""

    tables = Bundle("tables")

    def __init__(self):
        super().__init__()
        self.root = tempfile.mkdtemp(prefix="neuroflame-compact-")
        self.path = os.path.join(self.root, "sweep")
        SweepStore.create(self.path, {})
        self.model = {}
        self.failed = set()
        self.attempts = {}
        self.catching = warnings.catch_warnings()
        self.catching.__enter__()
        warnings.simplefilter("error")  # nothing is ever damaged here

    def teardown(self):
        self.catching.__exit__(None, None, None)
        shutil.rmtree(self.root)

    @rule(
        name=st.sampled_from("abcdefgh"),
        chosen=st.lists(st.integers(0, 12), min_size=1, max_size=4, unique=True),
        failed=st.booleans(),
        attempt=st.sampled_from([None, 0, 1, 2, 10]),
    )
    def publish(self, name, chosen, failed, attempt):
        """A tile that is new, or comes a second time from a straggler, compacted meanwhile or not."""
        if name not in self.model:
            self.model[name] = chosen
            self.failed |= {name} if failed else set()
            self.attempts[name] = attempt
        chosen = self.model[name]
        data = {**rows(chosen), "status": ["failed" if name in self.failed else "ok"] * len(chosen)}
        columns = FAILED if name in self.failed else COLUMNS
        data = {column.name: data[column.name] for column in columns}
        SweepStore.open(self.path).write_fragment(name, columns, data, self.about(name))

    def about(self, name):
        """What a tile's writer tells; those of older versions do not know of attempts."""
        attempt = self.attempts[name]
        return {"tile": name, "device": "cpu", **({} if attempt is None else {"attempt": str(attempt)})}

    @rule(bytes_=TARGETS)
    def compact(self, bytes_):
        done = SweepStore.open(self.path).compact(target=bytes_)
        assert done.after <= done.before
        assert len(list(Path(self.path, "parts").iterdir())) == done.after
        if bytes_ == 2**27 and self.model:
            assert done.after == 1

    @rule(bytes_=TARGETS, moment=st.integers(1, 40))
    def compact_killed(self, bytes_, moment):
        try:
            with failing_at(moment, Killed):
                SweepStore.open(self.path).compact(target=bytes_)
        except Killed:
            pass

    @rule(target=tables)
    def open(self):
        return open_table(self.path), dict(self.model), set(self.failed)

    @rule(opened=tables)
    def read_a_table_that_was_opened_before(self, opened):
        self.check(*opened)

    @invariant()
    def readers_see_every_row_once(self):
        table = open_table(self.path)
        self.check(table, self.model, self.failed)
        assert table.dataset().count_rows() == len(table)

    @invariant()
    def a_resumed_sweep_knows_every_tile(self):
        for verify in (True, False):
            assert SweepStore.open(self.path).finished(verify=verify) == {
                name: [identity(point) for point in chosen] for name, chosen in sorted(self.model.items())
            }

    def check(self, table, model, failed):
        good = {point for name in model.keys() - failed for point in model[name]}
        every = sorted({point for chosen in model.values() for point in chosen})
        assert len(table) == len(every)
        if not every:
            return
        names = [name for name in ("point_index", "status", "x", "s") if name in table.columns]
        found = table.to_arrow(names, provenance=True).to_pydict()
        assert found["point_index"] == every
        assert found["status"] == ["ok" if point in good else "failed" for point in every]
        if good:
            assert found["x"] == [float(np.sqrt(point)) if point in good else None for point in every]
            assert found["s"] == [list(range(point % 3)) if point in good else None for point in every]
        best = sorted(model, key=lambda name: (name in failed, -(self.attempts[name] or 0), name))
        assert found["provenance.tile"] == [
            next(name for name in best if point in model[name]) for point in every
        ]
        assert table.metadata == {name: self.about(name) for name in model}
        assert table.attempt == max(self.attempts[name] or 0 for name in model)


TestCompactionMachine = CompactionMachine.TestCase
TestCompactionMachine.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
