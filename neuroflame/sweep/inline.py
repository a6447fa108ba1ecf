"""The backend without Ray: one tile after the other in this process, for notebooks and debugging."""

from __future__ import annotations

from neuroflame.errors import BackendError, SimulationError, StoreError
from neuroflame.sweep.backend import Backend, Feed, Resources
from neuroflame.sweep.worker import Job, Worker


class InlineBackend(Backend):
    """Runs tiles in this process, with all its threads."""

    def check(self) -> None:
        """Do nothing: this process is there."""

    def open(self) -> Resources:
        """Take hold of the machines."""
        return Resources(actors=1, cuda=False, about="this process")

    def run(self, job: Job, feed: Feed) -> None:
        """Run the feed's tiles until it is done."""
        worker = Worker(job)
        while not feed.done:
            ref = feed.next()
            if ref is None:
                raise AssertionError("a feed without running tiles must have one to run")
            feed.began(ref, "")
            try:
                result = worker.run(ref)
            except (StoreError, BackendError, SimulationError) as error:
                feed.abort(error)
                return
            feed.finished(result)
            feed.tick()

    def close(self) -> None:
        """Let go of the machines."""
