"""Being told to stop."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def started_deaf() -> Iterator[None]:
    """Let processes that are started meanwhile not hear SIGTERM, and keep this one's handler, which Ray would set.

    Batch systems send it to all processes of a job at once. A driver whose cluster is gone waits in Ray for a
    minute, in calls that no Python handler interrupts, and is then ended by Ray.
    """
    handler = signal.getsignal(signal.SIGTERM)
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        yield
    except SystemExit:  # which is what Ray's handler does
        raise KeyboardInterrupt from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL if handler is None else handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


@contextmanager
def stopped_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM, which batch systems send, do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
