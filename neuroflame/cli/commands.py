"""The commands: each imports what it needs when it is called."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from neuroflame.cli.telling import (
    DONE,
    SOME_FAILED,
    complain,
    progress_for,
    tell_checks,
    tell_outcome,
    tell_report,
)
from neuroflame.errors import NeuroflameError, SpecError

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Run a sweep, or what is left of it."""
    from neuroflame.sweep.running import default_directory, start

    spec = _sweep(arguments)
    out = arguments.out or default_directory(spec)
    progress = progress_for(arguments)
    with redirect_stdout(sys.stderr):  # of machines that went down, Ray tells on standard output
        outcome = start(
            spec,
            out,
            backend=arguments.backend,
            address=arguments.address,
            progress=progress,
            takeover=arguments.takeover,
        )
    return tell_outcome(outcome, arguments)


def resume(arguments: argparse.Namespace) -> int:
    """Go on with a sweep that was stopped."""
    from neuroflame.sweep.running import resume as go_on

    progress = progress_for(arguments)
    with redirect_stdout(sys.stderr):
        outcome = go_on(
            arguments.directory,
            overrides={**_assignments(arguments), **_compute(arguments)},
            backend=arguments.backend,
            address=arguments.address,
            progress=progress,
            takeover=arguments.takeover,
            retry_failed=arguments.retry_failed,
        )
    return tell_outcome(outcome, arguments)


def status(arguments: argparse.Namespace) -> int:
    """Tell how far a sweep is."""
    from neuroflame.sweep.inspect import describe

    print(describe(arguments.directory))
    return DONE


def plan(arguments: argparse.Namespace) -> int:
    """Tell what a sweep will do, and run nothing."""
    from neuroflame.sweep.planner import make_plan

    print(make_plan(_sweep(arguments)))
    return DONE


def theory(arguments: argparse.Namespace) -> int:
    """Draw the phase diagram that theory predicts for a sweep, and simulate nothing."""
    from neuroflame.report import draw_prediction
    from neuroflame.sweep.predicting import predicted_table

    spec = _sweep(arguments)
    path = arguments.out or f"{spec.name}.theory.png"
    print(draw_prediction(predicted_table(spec), path))
    print(f"figure      {path}")
    return DONE


def validate(arguments: argparse.Namespace) -> int:
    """Check network and sweep files, and run nothing."""
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.sweep.executing import check_executor
    from neuroflame.sweep.inspect import in_words, read_file

    worst = DONE
    for file in arguments.files:
        try:
            spec = read_file(file, _assignments(arguments))
            _check_answer(spec, file)
            if isinstance(spec, SweepSpec):
                check_executor(spec)
            print(f"{file}: {in_words(spec)}")
        except NeuroflameError as error:
            worst = max(worst, complain(str(error), error.exit_code, debug=arguments.debug))
    return worst


def best(arguments: argparse.Namespace) -> int:
    """Print the best points of a sweep."""
    from neuroflame.sweep.inspect import best_points

    print(best_points(arguments.directory, arguments.by, arguments.number, smallest=arguments.smallest))
    return DONE


def relabel(arguments: argparse.Namespace) -> int:
    """Label the regimes of a sweep anew, with other thresholds; nothing is simulated."""
    from neuroflame.sweep.inspect import relabel as label_anew

    print(label_anew(arguments.directory, _assignments(arguments), arguments.out, force=arguments.force))
    return DONE


def robust(arguments: argparse.Namespace) -> int:
    """Check whether labels stay the same at half the step, in twice the neurons and for twice the time."""
    from neuroflame.sweep.robust import plan_checks, run_checks

    plan = plan_checks(
        arguments.directory,
        checks=[name.strip() for name in arguments.checks.split(",")],
        points=arguments.points,
        where=arguments.where,
        overrides=_compute(arguments),
    )
    telling = not arguments.quiet and not arguments.log_json
    if telling or arguments.plan:
        print(plan, flush=True)
    if arguments.plan:
        return DONE
    progress = progress_for(arguments)
    with redirect_stdout(sys.stderr):
        outcomes = run_checks(
            plan,
            backend=arguments.backend,
            address=arguments.address,
            progress=progress,
            takeover=arguments.takeover,
            retry_failed=arguments.retry_failed,
        )
    return tell_checks(plan, outcomes, arguments)


def report(arguments: argparse.Namespace) -> int:
    """Draw the figures of a sweep and write its page."""
    tell_report(arguments.directory, arguments.out)
    return DONE


def connectivity(arguments: argparse.Namespace) -> int:
    """Draw a network's weights, in-degrees and eigenvalues, and tell its spectral radius."""
    from pathlib import Path

    from neuroflame.network import Network
    from neuroflame.report import plot_connectivity
    from neuroflame.report.style import save
    from neuroflame.spec.network import load_network

    out = Path(arguments.out or f"{Path(arguments.network).stem}.connectivity.png")
    if not out.absolute().parent.is_dir():
        raise SpecError("there is no such folder", got=str(out.parent), path="--out")
    spec = load_network(arguments.network, _assignments(arguments))
    if not spec.pairs:
        raise SpecError("connects nothing", path="J", file=arguments.network)
    model = Network(spec, device="cpu", graph=arguments.graph)
    found = model.weight_spectrum(min(arguments.eigenvalues, spec.size - 1)) if spec.size > 1 else None
    figure = plot_connectivity(
        {name: population.size for name, population in spec.populations.items()},
        {pair.name: (pair.post, pair.pre) for pair in spec.pairs},
        model.effective_weights().coarse(arguments.bins),
        model.in_degrees(),
        None if found is None else found.eigenvalues,
        0.0 if found is None else found.bulk,
        title=f"Connectivity of {arguments.network}",
    )
    save(figure, out)
    print(f"figure           {out}")
    if found is not None:
        outliers = ", ".join(f"{value:.4g}" for value in found.outliers)
        print(f"spectral radius  {found.radius:.4g}")
        print(f"circular law     {found.bulk:.4g}; beyond it: {outliers or 'none'}")
    return DONE


def continue_(arguments: argparse.Namespace) -> int:
    """Follow a fixed point along a parameter: where it folds, starts to oscillate or ends."""
    from neuroflame.cli.continuing import follow

    return follow(arguments, _assignments(arguments))


def export(arguments: argparse.Namespace) -> int:
    """Write the table of a sweep for other programs: CSV, Parquet, netCDF, Zarr or a study of Optuna."""
    from neuroflame.sweep.export import export as write

    found = write(
        arguments.directory,
        arguments.to,
        arguments.out,
        force=arguments.force,
        by=arguments.by,
        smallest=arguments.smallest,
        repeats=arguments.over_repeats,
    )
    for path in found:
        print(path)
    return DONE


def compact(arguments: argparse.Namespace) -> int:
    """Put the many files of a sweep's table into few; safe at any time, also while the sweep runs."""
    from neuroflame.store import SweepStore

    done = SweepStore.open(arguments.directory).compact()
    print(f"{done.before:,} files are {done.after:,}: {done.tiles:,} tiles, {done.rows:,} rows put together")
    return DONE


def repro(arguments: argparse.Namespace) -> int:
    """Compute one point again from the manifest and compare it with its row; exit code 1 if they differ."""
    from neuroflame.sweep.repro import reproduce

    found = reproduce(arguments.directory, arguments.point_id)
    for warning in found.warnings:
        print(f"neuroflame-sweep: warning: {warning}", file=sys.stderr)
    print(found)
    return DONE if found.equal else SOME_FAILED


def import_config(arguments: argparse.Namespace) -> int:
    """Turn a network file of the original NeuroFlame into one of ours, and tell what became of every key."""
    from neuroflame.spec.legacy import ImportRefused, import_legacy, write

    try:
        found = import_legacy(
            arguments.file,
            _assignments(arguments),
            defaults=arguments.defaults,
            version=arguments.as_of,
            partial=arguments.partial,
        )
    except ImportRefused as refused:
        print(refused.report, file=sys.stderr)
        raise
    print(found.report, file=sys.stderr)
    write(found, arguments.out, replace=arguments.force)
    return DONE


# --- what commands share ----------------------------------------------------------------------------------


def _assignments(arguments: argparse.Namespace) -> dict[str, Any]:
    from neuroflame.spec.loading import parse_assignment

    return dict(parse_assignment(text) for text in arguments.set or ())


def _compute(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("actors", "tile", "device", "executor")
    given = {f"compute.{name}": getattr(arguments, name) for name in names}
    return {path: value for path, value in given.items() if value is not None}


def _sweep(arguments: argparse.Namespace) -> Any:
    from neuroflame.spec.overrides import load_sweep

    spec = load_sweep(arguments.sweep, {**_assignments(arguments), **_compute(arguments)})
    _check_answer(spec, arguments.sweep)
    return spec


def _check_answer(spec: Any, file: str) -> None:
    """Raise SpecError if a sweep asks what its table will not tell."""
    answer = getattr(spec, "answer", None)
    if answer is None:
        return
    from neuroflame.conditions import parse_condition

    try:
        spec.check_condition(parse_condition(answer.where))
    except SpecError as error:
        error.path = "answer.where"
        raise error.located(file=file) from None
