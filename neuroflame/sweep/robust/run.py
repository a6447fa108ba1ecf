"""Running the sweeps that check labels, one after the other."""

from __future__ import annotations

import os
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from neuroflame.errors import Interrupted
from neuroflame.regimes import CHECKS, robustness
from neuroflame.regimes.robust import YES
from neuroflame.spec.starts import SuppliedStart
from neuroflame.store import ROBUST, SweepStore, Table, below, open_table
from neuroflame.sweep.robust.plan import CheckRun, RobustPlan, plan_checks
from neuroflame.sweep.running import Outcome, start
from neuroflame.sweep.worker import MEASURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neuroflame.sweep.backend import Backend
    from neuroflame.sweep.progress import Progress


def check_robust(
    uri: str | os.PathLike[str],
    *,
    checks: Iterable[str] = tuple(CHECKS),
    points: int | None = None,
    where: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    backend: str | Backend | None = None,
    address: str | None = None,
    progress: Progress | None = None,
    measure: str = MEASURE,
) -> Table:
    """Check whether labels of a finished sweep are the same at half the step, in twice the neurons, for twice the time.

    Runs up to three sweeps in directories below the sweep's, and goes on with those that were begun. A check that
    cannot be done is left out, with a warning that says why.

    Parameters
    ----------
    uri : path or URI
        The directory of a sweep that measured regimes.
    checks : iterable of str
        Among ``dt``, ``n`` and ``t``.
    points : int, optional
        Assignments to look at, at most: half of them beside borders between labels, the others spread over the rest.
        By default 100; with a condition all that meet it.
    where : str, optional
        A condition on the table's columns that they meet, such as ``regime == bump``.
    overrides, backend, address, progress, measure
        As for `neuroflame.run_sweep`; overrides may change where and how it runs (``compute.actors``).

    Returns
    -------
    Table
        The table of the sweep, with the columns `neuroflame.regimes.ROBUST_COLUMNS`.

    Raises
    ------
    SpecError
        If there is no such check, the condition is wrong, or no check can be done.
    StoreError
        If there is no sweep, it is still running, or its table lacks the statistics that labels are made from.
    Interrupted
        If the user stopped it. Called again it goes on.

    Examples
    --------
    >>> from neuroflame.sweep import check_robust
    >>> table = check_robust("runs/ring", points=40)  # doctest: +SKIP
    >>> table.regimes()[["point.J.EE", "regime", "robust", "robust.n"]]  # doctest: +SKIP
    """
    plan = plan_checks(os.fspath(uri), checks=checks, points=points, where=where, overrides=overrides)
    for check, error in plan.refused.items():
        warnings.warn(f"check {check} cannot be done: {error}", stacklevel=2)
    run_checks(plan, backend=backend, address=address, progress=progress, measure=measure)
    return open_table(plan.uri)


def run_checks(
    plan: RobustPlan,
    *,
    backend: str | Backend | None = None,
    address: str | None = None,
    progress: Progress | None = None,
    measure: str = MEASURE,
    takeover: bool = False,
    retry_failed: bool = False,
) -> list[Outcome]:
    """Run what a plan says, and return what became of each sweep.

    Parameters
    ----------
    plan : RobustPlan
    backend, address, progress, measure, takeover, retry_failed
        As for `neuroflame.sweep.start`.

    Raises
    ------
    Interrupted
        If the user stopped it. The same plan, made again, goes on.
    """
    base = SweepStore.open(plan.uri)
    outcomes = []
    for run in plan.runs:
        if progress is not None and run.left:
            progress.note(f"{run.check}: {CHECKS[run.check]}, {run.left:,} points")
        try:
            outcomes.append(
                start(
                    run.spec,
                    below(base.uri, run.directory),
                    backend=backend,
                    address=address,
                    progress=progress,
                    measure=measure,
                    takeover=takeover,
                    retry_failed=retry_failed,
                    opened=partial(_link, base, run),
                )
            )
        except Interrupted as stop:
            stop.rule = f"check {run.check} {stop.rule}"
            stop.remedy = f"go on with the same command: neuroflame-sweep robust {plan.uri}"
            raise
    return outcomes


def describe_checks(uri: str) -> str:
    """Return for each label how many of its points were looked at, how many are robust, and what the others become."""
    found = robustness(open_table(uri).regimes())
    width = max((len(line["regime"]) for line in found), default=0) + 2
    lines = []
    for line in found:
        known = f"{line['robust']:,} robust, {line['no']:,} not"
        known += f", {line['undecided']:,} undecided" if line["undecided"] else ""
        lines.append(f"{line['regime']:<{width}}{line['points']:,} looked at: {known}")
        for check in CHECKS:
            changed = "; ".join(
                f"{count:,} {name}" for name, count in line[check].most_common() if name != YES
            )
            if changed:
                lines.append(f"{'':<{width}}{CHECKS[check]}: {changed}")
    return "\n".join(lines) if lines else "no label was checked"


def _link(base: SweepStore, run: CheckRun, store: SweepStore) -> None:
    """Write down in a sweep's directory which sweep checks it, and give that the states that it starts from."""
    for supplied in run.spec.repeat.starts.values():
        if isinstance(supplied, SuppliedStart):
            kept = base.kept_input(str(supplied.content))
            if kept is not None:
                store.keep_input(str(supplied.content), kept)
    if run.directory not in {record.get("directory") for record in base.read_records(ROBUST)}:
        about = {"check": run.check, "directory": run.directory, "factors": dict(run.factors)}
        base.append_record(ROBUST, about)
