"""What the commands tell: progress, outcomes, mistakes; and their exit codes."""

from __future__ import annotations

import sys
import traceback
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from neuroflame.sweep.progress import Progress
    from neuroflame.sweep.robust import RobustPlan
    from neuroflame.sweep.running import Outcome

DONE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def complain(text: str, code: int, *, debug: bool = False) -> int:
    """Say on standard error what is wrong; return the exit code."""
    if debug:
        traceback.print_exc()
    print(f"neuroflame-sweep: {text}", file=sys.stderr)
    return code


def progress_for(arguments: argparse.Namespace) -> Progress:
    """Return how progress is told: as asked for, or as the terminal allows."""
    from neuroflame.sweep import progress

    made: Progress
    if arguments.log_json:
        made = progress.JsonProgress()
    elif arguments.quiet:
        return progress.Progress()
    else:
        made = progress.LiveProgress() if sys.stderr.isatty() else progress.PlainProgress()
    _tell_warnings(made)
    return made


def _tell_warnings(progress: Progress) -> None:
    """Let warnings of this process be told like everything else that happens."""

    def tell(message: Warning | str, *_: object, **__: object) -> None:
        progress.event("warning", {"text": " ".join(str(message).split())})

    warnings.showwarning = tell


def tell_outcome(outcome: Outcome, arguments: argparse.Namespace) -> int:
    """Say where the results are and what they are in a line."""
    failed = outcome.status.failed
    if not arguments.quiet and not arguments.log_json:
        if outcome.status.stopped:
            print(f"stopped {outcome.status.stopped}")
        print(f"table   {outcome.uri}")
        if not arguments.no_report:
            tell_report(outcome.uri, None)
    if failed:
        complain(
            f"{failed:,} of {outcome.status.total:,} points failed: see column error of {outcome.uri}",
            SOME_FAILED,
        )
    return SOME_FAILED if failed else DONE


def tell_checks(plan: RobustPlan, outcomes: Sequence[Outcome], arguments: argparse.Namespace) -> int:
    """Say which labels are robust, which checks could not be done, and where points failed."""
    from neuroflame.sweep.robust import describe_checks

    if not arguments.quiet and not arguments.log_json:
        print(describe_checks(plan.uri))
        if not arguments.no_report:
            tell_report(plan.uri, None)
    for check, error in plan.refused.items():
        complain(f"check {check} cannot be done: {error}", SOME_FAILED)
    for outcome in outcomes:
        if outcome.status.failed:
            failed = f"{outcome.status.failed:,} of {outcome.status.total:,} points failed"
            complain(f"{failed}: see column error of {outcome.uri}", SOME_FAILED)
    whole = not plan.refused and not any(outcome.status.failed for outcome in outcomes)
    return DONE if whole else SOME_FAILED


def tell_report(directory: str, out: str | None) -> None:
    """Draw the figures of a sweep, write its page, and say where they are and what the answer is."""
    from neuroflame.report import build_report

    found = build_report(directory, out)
    for i, path in enumerate(found.figures.values()):
        print(f"{'figures' if i == 0 else '':<8}{path}")
    print(f"report  {found.page}")
    print(found.answer)
