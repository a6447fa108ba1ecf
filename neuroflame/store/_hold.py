"""Who runs a sweep: one process at a time, whose claim ends with it, however it ends.

The claim is a lock on ``hold.lock``, where the place has locks that end with their process (`flock`), and a
record in ``hold.json`` that its holder renews every few seconds. The lock decides between processes of one
machine. Between machines the record decides: a holder that is not heard of for `PATIENCE` seconds, by the
clock of whoever watches, counts as dead; so clocks need not agree.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroflame.errors import StoreError
from neuroflame.store._manifest import now, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from neuroflame.store._files import Files

LOCK, RECORD = "hold.lock", "hold.json"
BEAT = 3.0
"""Seconds between two renewals in a local directory; object stores are asked less often."""
REMOTE_BEAT = 15.0
PATIENCE = 90.0
"""Seconds of silence after which a holder on another machine counts as dead: more than the minute for which
network file systems may show old contents."""
_LET_GO = 60.0  # seconds that a holder is given to stop when it is told to
_SETTLE = 2.0  # seconds after which a record is ours or another's where files cannot be made exclusively


class HeldElsewhere(StoreError):
    """Another process runs the sweep of this directory."""


@dataclass(frozen=True)
class Holder:
    """Who runs a sweep, as its record tells.

    Parameters
    ----------
    host : str
        Its machine's name.
    process : int
        Its process there.
    since : str
        When it began, ISO 8601, UTC.
    token : str
        Tells runs apart.
    beat : int
        How often the record was renewed.
    time : str
        When it was last, ISO 8601, UTC.
    machine : str
        Identity of the running system, within which process numbers mean something.
    started : str
        When the process started, in the system's own units: numbers of processes are used again.
    ended : bool
        Whether it has let go.
    status : mapping
        What it last told: plain data.
    """

    host: str
    process: int
    since: str
    token: str
    beat: int
    time: str
    machine: str
    started: str
    ended: bool
    status: Mapping[str, Any]

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, since {_short(self.since)}"

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as can be told at once: by its process here, by its record elsewhere."""
        if self.ended:
            return False
        if self.machine == _machine():
            return _started(self.process) == self.started
        return self.silence < PATIENCE

    @property
    def silence(self) -> float:
        """Seconds since the record was renewed, by this machine's clock."""
        return (now() - datetime.fromisoformat(self.time)).total_seconds()


def read_holder(files: Files) -> Holder | None:
    """Return who runs, or ran last, the sweep of a directory; None if nobody is known."""
    try:
        return Holder(**json.loads(files.read(RECORD)))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):  # of another version, or damaged: the lock, and time, must do
        return None


class Hold:
    """A process's claim on a directory; make one with `take`.

    Parameters
    ----------
    files : Files
        The directory.
    release : callable or None
        Lets go of the lock, if there is one.
    holder : Holder
        The record.
    """

    def __init__(self, files: Files, release: Callable[[], None] | None, holder: Holder) -> None:
        self._files, self._unlock, self._holder = files, release, holder
        self._every = BEAT if release is not None else REMOTE_BEAT
        self._status: Mapping[str, Any] = {}
        self._usurper: Holder | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="neuroflame-hold", daemon=True)
        self._thread.start()

    @classmethod
    def take(cls, files: Files, *, force: bool = False, tell: Callable[[str], None] = lambda _: None) -> Hold:
        """Claim a directory.

        Parameters
        ----------
        files : Files
            The directory.
        force : bool
            If another holds it, tell it to stop and wait until it has.
        tell : callable
            Is told, in words, if this takes long.

        Raises
        ------
        HeldElsewhere
            If another process holds it, naming it; or if it does not stop when told to.
        StoreError
            If the directory cannot be written.
        """
        own = _own_record()
        release = _locked(files, own, force=force)
        try:
            _claim(files, own, locked=release is not None, force=force, tell=tell)
        except BaseException:
            if release is not None:
                release()
            raise
        return cls(files, release, own)

    def tell(self, status: Mapping[str, Any]) -> None:
        """Put plain data into the record, when it is renewed next."""
        self._status = dict(status)

    def check(self) -> None:
        """Raise HeldElsewhere if another process has taken the directory over."""
        if self._usurper is not None:
            raise HeldElsewhere(
                f"was taken over by {self._usurper}", file=self._files.shown, remedy="this run has stopped"
            )

    def release(self) -> None:
        """Let go, saying so."""
        self._end.set()
        self._thread.join()
        try:
            if self._usurper is None:
                self._renew(ended=True)
        except StoreError:  # a full disk: the lock says it too, and elsewhere time will
            pass
        finally:
            if self._unlock is not None:
                self._unlock()

    def _beat(self) -> None:
        while not self._end.wait(self._every):
            try:
                found = read_holder(self._files)
                if found is not None and found.token != self._holder.token:
                    self._usurper = found
                    return
                self._renew()
            except StoreError:  # a full disk or a network that is away for a while ends no run
                continue

    def _renew(self, *, ended: bool = False) -> None:
        about = {**vars(self._holder), "beat": self._holder.beat + 1, "time": now().isoformat()}
        self._holder = Holder(**{**about, "ended": ended, "status": self._status})
        self._files.replace(RECORD, _json(self._holder))


def _locked(files: Files, own: Holder, *, force: bool) -> Callable[[], None] | None:
    """Return what lets go of the lock, None where there are no locks."""
    until = time.monotonic() + (
        _LET_GO if force else 1.0
    )  # a process that was killed may take a moment to end
    while True:
        try:
            return files.lock(LOCK)
        except BlockingIOError:
            other = read_holder(files)
            if time.monotonic() > until:
                if force:
                    raise HeldElsewhere(
                        "the run that has this directory does not stop",
                        got=str(other) if other else None,
                        file=files.shown,
                        remedy="end its process",
                    ) from None
                raise _held(files, other) from None
            if force:
                files.replace(RECORD, _json(own))
        time.sleep(0.2)


def _claim(files: Files, own: Holder, *, locked: bool, force: bool, tell: Callable[[str], None]) -> None:
    """Put our name into the record, unless another holder lives that the lock does not tell of."""
    other = read_holder(files)
    if other is not None and other.token != own.token and not other.ended:
        here = other.machine == _machine()
        lives = (not locked and other.alive) if here else _heard_of(files, other, tell)
        if lives and not force:
            raise _held(files, other)
        if lives:
            _oust(files, own, other)
            return
    if locked:
        files.replace(RECORD, _json(own))
        return
    _succeed(files, own, other, tell)
    time.sleep(_SETTLE)
    found = read_holder(files)
    if found is not None and found.token != own.token:
        raise _held(files, found)


def _succeed(files: Files, own: Holder, other: Holder | None, tell: Callable[[str], None]) -> None:
    """Put our name after another's where there is no lock: of all that saw that name one may.

    It is the one that makes a file whose name says after whom, and while that is there finds the record as it was.
    """
    after = other.token if other is not None else None
    claim = f"hold-after-{after or 'nobody'}.json"
    until, told = time.monotonic() + PATIENCE, False
    while not files.put_new(claim, _json(own)):
        _check_still(files, after)
        if time.monotonic() > until:  # whoever made it was killed before it had written its name
            files.remove(claim)
        if not told:
            tell(f"another process is claiming {files.shown}: waiting up to {PATIENCE:.0f} s for its name")
            told = True
        time.sleep(min(0.5, PATIENCE / 10))
    try:
        _check_still(files, after)
        files.replace(RECORD, _json(own))
    finally:
        files.remove(claim)


def _check_still(files: Files, token: str | None) -> None:
    """Raise HeldElsewhere if the record is another's by now."""
    found = read_holder(files)
    if found is not None and found.token != token:
        raise _held(files, found)


def _heard_of(files: Files, other: Holder, tell: Callable[[str], None]) -> bool:
    """Say whether a holder on another machine renews its record, which takes time to tell."""
    tell(f"{files.shown} was left by {other}: waiting up to {PATIENCE:.0f} s to see whether it still runs")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        time.sleep(min(1.0, PATIENCE / 10))
        found = read_holder(files)
        if found is None or found.ended:
            return False
        if (found.token, found.beat) != (other.token, other.beat):
            return True
    return False


def _oust(files: Files, own: Holder, other: Holder) -> None:
    """Write our name over a holder's, as often as it writes its own over ours."""
    until = time.monotonic() + _LET_GO
    while time.monotonic() < until:
        files.replace(RECORD, _json(own))
        time.sleep(min(2 * REMOTE_BEAT, _LET_GO / 3))
        found = read_holder(files)
        if found is not None and found.token == own.token:
            return
    raise HeldElsewhere("does not let go", got=str(other), file=files.shown, remedy="end its process")


def _held(files: Files, other: Holder | None) -> HeldElsewhere:
    return HeldElsewhere(
        f"is being run by {other or 'another process'}",
        file=files.shown,
        remedy=f"see how far it is with: neuroflame-sweep status {files.shown}; "
        "or stop it there and go on here with --takeover",
    )


def _own_record() -> Holder:
    time_ = now().isoformat()
    return Holder(
        host=platform.node(),
        process=os.getpid(),
        since=time_,
        token=secrets.token_hex(8),
        beat=0,
        time=time_,
        machine=_machine(),
        started=_started(os.getpid()) or "",
        ended=False,
        status={},
    )


def _json(holder: Holder) -> bytes:
    return to_json(vars(holder))


def _machine() -> str:
    """Return what names a running system and the processes that see each other's numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{platform.node()} {platform.system()}"


def _started(process: int) -> str | None:
    """Return when a process of this machine started, None if there is none, '' if that cannot be told."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
        after_name = stat.rpartition(")")[2].split()
        return None if after_name[0] == "Z" else after_name[19]
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""


def _short(time_: str) -> str:
    return f"{datetime.fromisoformat(time_):%Y-%m-%d %H:%M:%S} UTC"
