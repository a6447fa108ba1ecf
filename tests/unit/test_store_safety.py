"""Nothing lost, nothing doubled: races, kills, full disks, damage."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import neuroflame.store
from neuroflame.errors import StoreError
from neuroflame.store import StoreWarning, SweepStore, _fragment, _local, open_table
from neuroflame.store._format import CorruptFragment
from neuroflame.store._fragment import verify
from tests.unit.test_store import COLUMNS, rows, visible

HERE = Path(neuroflame.store.__file__).parents[2]
IDS = [f"{index:016x}" for index in range(3)]


@pytest.fixture
def store(tmp_path):
    return SweepStore.create(tmp_path / "sweep", {"name": "ring"})


CHILDREN = []


@pytest.fixture(autouse=True)
def _no_orphans():
    """End the processes that a failing test leaves behind."""
    yield
    while CHILDREN:
        process = CHILDREN.pop()
        process.kill()
        process.communicate()


def child(code, *arguments, before=()):
    """Start a Python process that runs some code with the store's names at hand."""
    preamble = (
        "import os, signal, sys, time\n"
        "from neuroflame.errors import StoreError\n"
        "from neuroflame.store import SweepStore, open_table\n"
        "import neuroflame.store._fragment\n"
        "from tests.unit.test_store import COLUMNS, rows\n"
    )
    command = [*before, sys.executable, "-c", preamble + code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    CHILDREN.append(process)
    return process


# --- races

RACE = """
print("ready", flush=True)
sys.stdin.readline()
won = []
for number in range(40):
    try:
        SweepStore.create(f"{sys.argv[1]}/new-{number}", {"by": sys.argv[2]})
        won.append(f"m{number}")
    except StoreError as error:
        assert "already holds a sweep" in str(error), error
    store = SweepStore.open(sys.argv[1] + "/sweep")
    if store.write_fragment(f"t{number}", COLUMNS, rows([number])):
        won.append(f"t{number}")
print(*won)
"""


def test_of_two_processes_exactly_one_publishes(store):
    racers = [child(RACE, Path(store.uri).parent, name) for name in "ab"]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n", racer.stderr.read()
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    outputs = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], outputs
    won = [set(output.split()) for output, _ in outputs]
    assert not won[0] & won[1]
    assert won[0] | won[1] == {f"{kind}{number}" for kind in "mt" for number in range(40)}
    for number in range(40):
        winner = SweepStore.open(Path(store.uri).parent / f"new-{number}").manifest["by"]
        assert f"m{number}" in won["ab".index(winner)]
    assert len(store.finished()) == 40
    assert visible(store, "tmp") == []


@pytest.fixture
def no_hard_links(monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", link)


def test_threads_race_where_hard_links_do_not_exist(store, no_hard_links):
    barrier = threading.Barrier(4)
    won = []

    def race():
        for number in range(10):
            barrier.wait()
            won.append((number, store.write_fragment(f"t{number}", COLUMNS, rows([number]))))

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number, new in won if new) == list(range(10))
    assert len(store.finished()) == 10
    assert visible(store, "tmp") == []


def test_a_claim_left_by_a_killed_writer_is_broken(store, no_hard_links, monkeypatch):
    monkeypatch.setattr(_local, "CLAIM_PATIENCE", 0.05)
    (Path(store.uri) / "tmp" / "parts-a.parquet.claim").touch()
    assert store.write_fragment("a", COLUMNS, rows([0])) is True
    assert store.write_fragment("a", COLUMNS, rows([0])) is False
    assert visible(store, "tmp") == []


def test_a_link_that_nfs_made_twice_is_ours(store, monkeypatch):
    link = os.link

    def twice(source, target):
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    assert store.write_fragment("a", COLUMNS, rows([0])) is True


# --- kills

KILLED = """
store = SweepStore.open(sys.argv[1])
write = os.write
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def half(descriptor, data):
    write(descriptor, bytes(data[:len(data) // 2]))
    die()
where = sys.argv[2]
if where == "half":
    os.write = half
else:
    setattr(os, where, die)
store.write_fragment("a", COLUMNS, rows(range(3)))
"""


@pytest.mark.parametrize("where", ["half", "fsync", "link", "unlink"])
def test_kill_9_while_writing_leaves_all_or_nothing(store, where):
    process = child(KILLED, store.uri, where)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == -9, complaint
    published = where == "unlink"
    assert visible(store) == (["a.parquet"] if published else [])
    assert len(visible(store, "tmp")) == 1
    assert store.finished() == ({"a": IDS} if published else {})
    assert len(open_table(store.uri)) == (3 if published else 0)
    assert SweepStore.open(store.uri).write_fragment("a", COLUMNS, rows(range(3))) is not published
    assert store.finished() == {"a": IDS}


def test_a_fragment_is_durable_before_it_is_visible_and_its_name_before_it_is_reported(store, monkeypatch):
    calls, opened = [], {}

    def listen(name, about):
        call = getattr(os, name)

        def told(*arguments):
            result = call(*arguments)
            calls.append((name, about(arguments[0], result)))
            return result

        monkeypatch.setattr(os, name, told)

    def folder(path, _):
        return Path(path).parent.name

    def remember(path, descriptor):
        opened[descriptor] = Path(path).name if Path(path).is_dir() else folder(path, None)
        return opened[descriptor]

    listen("open", remember)
    listen("fsync", lambda descriptor, _: opened[descriptor])
    listen("link", folder)
    listen("unlink", folder)
    store.write_fragment("a", COLUMNS, rows([0]))
    assert calls == [
        ("open", "tmp"),
        ("fsync", "tmp"),
        ("link", "tmp"),
        ("open", "parts"),
        ("fsync", "parts"),
        ("unlink", "tmp"),
    ]


def test_leftovers_are_removed_when_they_are_old(store):
    old, young = (Path(store.uri) / "tmp" / name for name in ("old", "young"))
    for path in (old, young):
        path.write_text("half a file")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    open_table(store.uri)
    assert old.exists()
    SweepStore.open(store.uri)
    assert not old.exists()
    assert young.exists()


# --- disks that are full, read-only or forbidden


def refusing(monkeypatch, name, code):
    def call(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize("name", ["open", "write", "fsync", "link"])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "disk is full.*free some space"),
        (errno.EDQUOT, "disk is full"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_disk_that_refuses_gives_one_line_and_leaves_nothing(store, monkeypatch, name, code, message):
    with monkeypatch.context() as patch:
        refusing(patch, name, code)
        with pytest.raises(StoreError, match=message) as caught:
            store.write_fragment("a", COLUMNS, rows(range(3)))
    assert "\n" not in str(caught.value)
    assert store.uri in str(caught.value)
    assert visible(store) == []
    assert visible(store, "tmp") == []
    assert store.write_fragment("a", COLUMNS, rows(range(3))) is True


DISK = """
root = sys.argv[1]
store = SweepStore.create(root, {})
refused = 0
for number in range(200):
    try:
        store.write_fragment(f"t{number:03}", COLUMNS, rows(range(100 * number, 100 * number + 100)))
    except StoreError as error:
        assert "disk is full" in str(error), error
        refused += 1
assert refused > 100
assert not os.listdir(root + "/tmp")
ids = sum(store.finished().values(), [])
assert len(ids) == len(set(ids)) == 100 * (200 - refused) == len(open_table(root)) > 0
assert os.system(f"mount -o remount,ro {root}") == 0
store = SweepStore.open(root)
assert sum(store.finished().values(), []) == ids
assert len(open_table(root).to_pandas()) == len(ids)
try:
    store.append_record("run", {})
except StoreError as error:
    assert "read-only" in str(error), error
print("done")
"""


def test_a_real_disk_that_fills_up_and_turns_read_only(tmp_path):
    alone = ["unshare", "--mount", "--user", "--map-root-user"]
    mount = ["sh", "-c", f'mount -t tmpfs -o size=256k none {tmp_path} && exec "$@"', "sh"]
    try:
        able = subprocess.run([*alone, *mount, "true"], capture_output=True, timeout=10).returncode == 0
    except OSError:
        able = False
    if not able:
        pytest.skip("mount namespaces are not allowed here")
    output, complaint = child(DISK, tmp_path, before=[*alone, *mount]).communicate(timeout=60)
    assert output == "done\n", complaint


FORBIDDEN = """
os.chmod(sys.argv[1], 0o555)
if os.getuid() == 0:
    os.setuid(65534)
try:
    SweepStore.create(sys.argv[1] + "/sweep", {})
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions")
def test_a_directory_that_may_not_be_written(tmp_path):
    output, complaint = child(FORBIDDEN, tmp_path).communicate(timeout=60)
    assert "permission denied" in output, complaint
    assert output.count("\n") == 1
    tmp_path.chmod(0o755)


# --- damage


def damage(store, change, name="parts/a.parquet"):
    path = Path(store.uri) / name
    blob = bytearray(path.read_bytes())
    path.write_bytes(change(blob))


def flip(position):
    def change(blob):
        blob[position] ^= 0x10
        return bytes(blob)

    return change


DAMAGES = {
    "flipped in the data": flip(40),
    "flipped in the footer": flip(-100),
    "flipped in its length": flip(-7),
    "cut short": lambda blob: bytes(blob[: len(blob) // 2]),
    "without an end": lambda blob: bytes(blob[:-1]),
    "empty": lambda _: b"",
    "zeros": lambda blob: bytes(len(blob)),
    "another file": lambda _: b"PAR1 what is this PAR1",
    "longer": lambda blob: bytes(blob) + b"\0",
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_found_told_put_aside_and_mended(store, kind):
    store.write_fragment("a", COLUMNS, rows(range(3)))
    store.write_fragment("b", COLUMNS, rows(range(3, 5)))
    damage(store, DAMAGES[kind])
    with pytest.warns(StoreWarning, match=r"left out parts/a\.parquet.*resume"):
        table = open_table(store.uri)
    assert table.to_pandas()["point_index"].tolist() == [3, 4]
    assert visible(store) == ["a.parquet", "b.parquet"]  # readers change nothing
    with pytest.warns(StoreWarning, match=r"moved parts/a\.parquet to quarantine") as told:
        assert list(store.finished()) == ["b"]
    assert told[0].filename == __file__  # not a line of ours
    assert visible(store) == ["b.parquet"]
    assert len(visible(store, "quarantine")) == 1
    (record,) = store.read_records("warning")
    assert record["event"] == "quarantined"
    assert record["file"] == "parts/a.parquet"
    assert (Path(store.uri) / record["moved_to"]).is_file()
    assert store.write_fragment("a", COLUMNS, rows(range(3))) is True
    assert open_table(store.uri).to_pandas()["point_index"].tolist() == [0, 1, 2, 3, 4]


def test_every_single_byte_counts(store):
    store.write_fragment("a", COLUMNS, rows(range(3)))
    blob = (Path(store.uri) / "parts" / "a.parquet").read_bytes()
    verify(blob)
    for position in range(len(blob)):
        for mask in (0x01, 0x80):
            changed = bytearray(blob)
            changed[position] ^= mask
            with pytest.raises(CorruptFragment):
                verify(bytes(changed))


def test_a_writer_that_meets_a_damaged_fragment_replaces_it(store):
    store.write_fragment("a", COLUMNS, rows(range(3)))
    damage(store, flip(40))
    with pytest.warns(StoreWarning, match="moved"):
        assert store.write_fragment("a", COLUMNS, rows(range(3))) is True
    assert store.finished() == {"a": IDS}


def test_damaged_asks_are_put_aside_too(store):
    store.write_ask("a", COLUMNS[:1], {"point_id": ["x"]})
    damage(store, flip(20), "asks/a.parquet")
    with pytest.warns(StoreWarning, match=r"moved asks/a\.parquet"):
        assert store.read_ask("a") is None
    assert store.read_asks() == {}


def test_a_fragment_mended_by_another_process_is_not_taken_away(store, monkeypatch):
    store.write_fragment("a", COLUMNS, rows(range(3)))
    intact = (Path(store.uri) / "parts" / "a.parquet").read_bytes()
    damage(store, flip(40))
    move = type(store._files).move

    def mended_first(self, source, target):
        if source.startswith("parts/"):
            (Path(self.uri) / source).write_bytes(intact)
        return move(self, source, target)

    monkeypatch.setattr(type(store._files), "move", mended_first)
    store.finished()
    assert store.finished() == {"a": IDS}
    assert visible(store, "quarantine") == []
    assert store.read_records() == []


def test_a_fragment_of_a_newer_version_is_refused_not_put_aside(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_fragment, "FORMAT", 3)
        store.write_fragment("a", COLUMNS, rows(range(3)))
    with pytest.raises(StoreError, match=r"format 3.*upgrade"):
        store.finished()
    assert visible(store) == ["a.parquet"]


def test_a_fragment_that_cannot_be_read_is_not_put_aside(store, monkeypatch):
    store.write_fragment("a", COLUMNS, rows(range(3)))

    def refuse(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(_local, "open", refuse, raising=False)
    with pytest.raises(StoreError, match="Input/output error"):
        store.finished()
    assert visible(store) == ["a.parquet"]


def test_damage_in_a_directory_that_cannot_be_changed(store, monkeypatch):
    store.write_fragment("a", COLUMNS, rows(range(3)))
    damage(store, flip(40))
    with monkeypatch.context() as patch:
        refusing(patch, "rename", errno.EROFS)
        with pytest.warns(StoreWarning, match="could not be moved away"):
            assert store.finished() == {}


def test_strangers_among_the_fragments_are_ignored(store):
    store.write_fragment("a", COLUMNS, rows(range(3)))
    (Path(store.uri) / "parts" / "notes.txt").write_text("mine")
    (Path(store.uri) / "parts" / ".hidden.parquet").write_text("half")
    assert store.finished() == {"a": IDS}
    assert len(open_table(store.uri)) == 3


def test_without_verification_a_broken_footer_is_still_found(store):
    store.write_fragment("a", COLUMNS, rows(range(3)))
    damage(store, lambda blob: bytes(blob[:-30]))
    with pytest.warns(StoreWarning, match="moved"):
        assert store.finished(verify=False) == {}
