"""Ends the processes of a Ray of our own once the process that started it is gone, however it went.

Ray's own processes notice that the driver is gone, but their agents only after a minute or more, and nobody
removes the folder. So a small process waits for the driver's end. It is started by its path, imports nothing
but the standard library, and finds the processes by what only they have: a variable in their environment, or
files of the folder that they write (processes that set their title overwrite what they were started with).
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "NEUROFLAME_RAY_SESSION"
_GIVE_UP_S = 15.0


class Watchdog:
    """A process that outlives this one by some seconds and cleans up after it.

    Parameters
    ----------
    token : str
        Value of `VARIABLE` in the environment of the processes to end.
    folder : str
        What to remove; a process that writes a file in it is one to end.
    """

    def __init__(self, token: str, folder: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, token, folder, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C is not meant for it
        )

    def close(self) -> None:
        """Let it clean up now, and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2 * _GIVE_UP_S)


def wait_for_end(parent: int) -> None:
    """Return when the other end of the standard input is closed or the parent is gone."""
    while os.getppid() == parent:
        if select.select([sys.stdin], [], [], 1.0)[0] and not os.read(sys.stdin.fileno(), 1):
            return


def end_all(token: str, folder: str, parent: int) -> None:
    """Kill the marked processes, but not the parent that may be closing down in order, until there are none."""
    until = time.monotonic() + _GIVE_UP_S
    while time.monotonic() < until:
        found = [number for number in marked(token, folder) if number != parent]
        if not found:
            return
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)


def marked(token: str, folder: str) -> list[int]:
    """Return the numbers of the processes that have the token or a file of the folder, but for this one."""
    if not Path("/proc/self/environ").exists():
        return _marked_by_ps(folder)
    wanted = f"{VARIABLE}={token}".encode()
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [number for number in numbers if number != os.getpid() and _is_marked(number, wanted, folder)]


def _is_marked(number: int, wanted: bytes, folder: str) -> bool:
    home = Path("/proc", str(number))
    try:
        if wanted in (home / "environ").read_bytes().split(b"\0"):
            return (home / "stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
        return any(
            os.readlink(link).startswith(f"{folder}/") and _is_written(home / "fdinfo" / link.name)
            for link in (home / "fd").iterdir()
        )
    except OSError:  # it has ended, or is another user's
        return False


def _is_written(info: Path) -> bool:
    """Say whether a file was opened to be written: the access mode is in the last octal digit of its flags."""
    flags = next(line for line in info.read_text().splitlines() if line.startswith("flags:"))
    return int(flags.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY


def _marked_by_ps(folder: str) -> list[int]:
    """Return the numbers of the processes that name the folder on their command line."""
    listed = subprocess.run(
        ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=False
    ).stdout
    rows = (line.strip().partition(" ") for line in listed.splitlines())
    return [int(pid) for pid, _, words in rows if f"{folder}/" in words and int(pid) != os.getpid()]


if __name__ == "__main__":
    _token, _folder, _parent = sys.argv[1], sys.argv[2], int(sys.argv[3])
    wait_for_end(_parent)
    end_all(_token, _folder, _parent)
    shutil.rmtree(_folder, ignore_errors=True)
