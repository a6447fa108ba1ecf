"""How Ray Tune is used: a trial is a tile, a searcher hands out names, a scheduler keeps actors busy.

Tune's own state is never the truth: it lives in a scratch folder, is not restored, and what it reports is
checked by the controller. The scheduler reads private attributes of Tune's controller (see `TileScheduler`);
``pyproject.toml`` pins the versions, and a test counts the actors.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

import ray
from ray import tune
from ray.tune import Callback, CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner
from ray.tune.execution.placement_groups import PlacementGroupFactory
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from neuroflame.errors import BackendError, SimulationError, StoreError
from neuroflame.sweep.worker import Job, TileResult, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.tune.experiment import Trial

    from neuroflame.sweep.backend import Feed

_RECOUNT_S = 2.0
_MOST_TRIALS = 10_000  # Tune stages as many at once; `TileSearcher` hands out as many as there are actors


class Run:
    """A run of Tune, seen from its parts. Tuner pickles those: they hold a key, and this stays where it is.

    Parameters
    ----------
    feed : Feed
        Where tiles come from.
    count : callable
        Returns how many actors fit on the machines that there are now.
    """

    known: ClassVar[dict[str, Run]] = {}

    def __init__(self, feed: Feed, count: Callable[[], int]) -> None:
        self.feed, self._count = feed, count
        self.actors = count()
        self._counted = time.monotonic()

    def recount(self) -> None:
        """Look, now and then, whether machines came or went."""
        if time.monotonic() - self._counted < _RECOUNT_S:
            return
        self._counted = time.monotonic()
        self.actors = self._count()
        self.feed.resized(self.actors)


def run_tune(
    job: Job, feed: Feed, *, bundle: dict[str, float], count: Callable[[], int], scratch: str
) -> None:
    """Run the feed's tiles as trials until it is done, or Tune gives up.

    Parameters
    ----------
    job : Job
        What workers are told.
    feed : Feed
        Where tiles come from.
    bundle : dict
        Resources of an actor.
    count : callable
        Returns how many actors fit on the machines that there are now.
    scratch : str
        Folder for Tune's state.
    """
    key = secrets.token_hex(8)
    Run.known[key] = Run(feed, count)
    try:
        tuner = Tuner(
            tune.with_resources(make_trainable(job), PlacementGroupFactory([bundle])),
            tune_config=TuneConfig(
                search_alg=TileSearcher(key),
                scheduler=TileScheduler(key),
                num_samples=-1,
                max_concurrent_trials=_MOST_TRIALS,
                reuse_actors=True,
            ),
            run_config=RunConfig(
                name=key,
                storage_path=scratch,
                verbose=0,
                callbacks=[TileCallback(key)],
                failure_config=FailureConfig(max_failures=0),  # the feed decides what is tried again
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        tuner.fit()
    except Exception as error:
        if not feed.done:
            feed.abort(BackendError(f"Ray Tune stopped: {(str(error).splitlines() or [''])[-1]}"))
    finally:
        del Run.known[key]


def make_trainable(job: Job) -> type[tune.Trainable]:
    """Return the class of the actors; the job travels with it, not with each trial's config."""

    class TileTrainable(tune.Trainable):
        """An actor that runs one tile after another."""

        def setup(self, config: dict[str, Any]) -> None:
            self._worker = Worker(job)
            self._ref = str(config["tile"])

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._ref = str(new_config["tile"])
            return True

        def step(self) -> dict[str, Any]:
            self._worker.prepare()  # where this fails, another machine may do
            try:
                return {"done": True, "tile": asdict(self._worker.run(self._ref))}
            except (StoreError, BackendError, SimulationError) as error:  # another try would not help
                return {"done": True, "fatal": error}

    return TileTrainable


class TileSearcher(Searcher):
    """Hands out the references of tiles. Keeps no state: what was done is in the store."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key
        self._trials: set[str] = set()

    def suggest(self, trial_id: str) -> Any:
        """Return the config of the next trial, None to be asked later, or that there will be none."""
        run = Run.known[self._key]
        if len(self._trials) >= max(1, run.actors):
            return None
        ref = run.feed.next()
        if ref is not None:
            self._trials.add(trial_id)
            return {"tile": ref}
        return Searcher.FINISHED if run.feed.done else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Count it; the callback has told the feed."""
        self._trials.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""


class TileCallback(Callback):
    """Tells the feed what became of tiles."""

    def __init__(self, key: str) -> None:
        self._key = key

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Pass on that an actor has a tile."""
        Run.known[self._key].feed.began(trial.config["tile"], _name(trial.temporary_state.ray_actor))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass a result on, and take it out of what Tune keeps."""
        feed = Run.known[self._key].feed
        told, fatal = result.pop("tile", None), result.pop("fatal", None)
        if fatal is not None:
            feed.abort(fatal)
        elif told is not None:
            feed.finished(TileResult(**told))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Pass on that a tile's worker died."""
        Run.known[self._key].feed.lost(trial.config["tile"], _reason(trial))

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Let the feed do what is due, end actors that hang, and stop where an error ended the sweep."""
        run = Run.known[self._key]
        feed = run.feed
        feed.tick()
        run.recount()
        for ref in feed.overdue():
            for trial in trials:
                actor = trial.temporary_state.ray_actor
                if actor is not None and trial.config["tile"] == ref:
                    ray.kill(actor)
        error = getattr(feed, "error", None)
        if error is not None:
            raise error


class TileScheduler(FIFOScheduler):
    """First in, first out, without losing actors on the way.

    Tune's own FIFO lets a finishing actor take over a trial that waits for another actor, and kills that one
    while it starts; and it drops idle actors when no trial is staged. So: the cache may keep as many actors
    as run at once; and the trial to run is the first pending one without an actor.
    """

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key
        self._kept = 0

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Let Tune keep as many actors as there may be."""
        more = Run.known[self._key].actors - self._kept
        if more > 0:
            _inner(tune_controller)._actor_cache.increase_max(trial.placement_group_factory, more)
            self._kept += more

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return the first pending trial that no actor is assigned to: the fastest free actor will have it."""
        inner = _inner(tune_controller)
        trial: Trial
        for trial in inner._pending_trials_list:
            if trial in inner._pending_trials and trial not in inner._trial_to_actor:
                self._fastest_first(inner, trial)
                return trial
        return None

    def _fastest_first(self, inner: Any, trial: Trial) -> None:
        """Sort the actors that Tune keeps, of which it takes the first."""
        slowness = Run.known[self._key].feed.slowness
        handles = inner._actor_manager._live_actors_to_ray_actors_resources
        kept = inner._actor_cache._cached_objects[trial.placement_group_factory]
        kept.sort(key=lambda actor: slowness(_name(handles[actor][0])))


def _inner(tune_controller: Any) -> Any:
    """Return the controller itself: schedulers are given a wrapper that lets few attributes through."""
    return vars(tune_controller).get("_tune_controller", tune_controller)


def _name(actor: Any) -> str:
    """Return what tells an actor from others."""
    return str(actor._actor_id.hex())


def _reason(trial: Trial) -> str:
    error = trial.get_error() if hasattr(trial, "get_error") else None
    lines = str(error).strip().splitlines() if error is not None else []
    return lines[-1] if lines else "unknown"
