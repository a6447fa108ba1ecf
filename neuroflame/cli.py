"""The command line: thin, and light to import, so that it answers at once."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, NoReturn

from neuroflame.errors import NeuroflameError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neuroflame.sweep.progress import Progress
    from neuroflame.sweep.running import Outcome

DONE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.
    """
    try:
        arguments = make_parser().parse_args(argv)
    except SystemExit as stop:  # argparse has told what was wrong, or what was asked for
        return int(stop.code or 0)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except NeuroflameError as error:
        return _complain(str(error), error.exit_code, debug=arguments.debug)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone: do not complain at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        remedy = "" if arguments.debug else " (run again with --debug to see where)"
        return _complain(f"{text}{remedy}", BAD_INPUT, debug=arguments.debug)


def _complain(text: str, code: int, *, debug: bool = False) -> int:
    if debug:
        traceback.print_exc()
    print(f"neuroflame-sweep: {text}", file=sys.stderr)
    return code


# --- commands ---------------------------------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> int:
    """Run a sweep, or what is left of it."""
    from neuroflame.sweep.running import default_directory, start

    spec = _sweep(arguments)
    out = arguments.out or default_directory(spec)
    progress = _progress(arguments)
    with redirect_stdout(sys.stderr):  # of machines that went down, Ray tells on standard output
        outcome = start(
            spec,
            out,
            backend=arguments.backend,
            address=arguments.address,
            progress=progress,
            takeover=arguments.takeover,
        )
    return _tell(outcome, arguments)


def resume(arguments: argparse.Namespace) -> int:
    """Go on with a sweep that was stopped."""
    from neuroflame.sweep.running import resume as go_on

    progress = _progress(arguments)
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
    return _tell(outcome, arguments)


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
    from neuroflame.sweep.inspect import in_words, read_file

    worst = DONE
    for file in arguments.files:
        try:
            spec = read_file(file, _assignments(arguments))
            _check_answer(spec, file)
            print(f"{file}: {in_words(spec)}")
        except NeuroflameError as error:
            worst = max(worst, _complain(str(error), error.exit_code, debug=arguments.debug))
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


def report(arguments: argparse.Namespace) -> int:
    """Draw the figures of a sweep and write its page."""
    _report(arguments.directory, arguments.out)
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
        spec.check_columns(parse_condition(answer.where).names)
    except SpecError as error:
        error.path = "answer.where"
        raise error.located(file=file) from None


def _progress(arguments: argparse.Namespace) -> Progress:
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


def _tell(outcome: Outcome, arguments: argparse.Namespace) -> int:
    """Say where the results are and what they are in a line."""
    failed = outcome.status.failed
    if not arguments.quiet and not arguments.log_json:
        if outcome.status.stopped:
            print(f"stopped {outcome.status.stopped}")
        print(f"table   {outcome.uri}")
        if not arguments.no_report:
            _report(outcome.uri, None)
    if failed:
        _complain(
            f"{failed:,} of {outcome.status.total:,} points failed: see column error of {outcome.uri}",
            SOME_FAILED,
        )
    return SOME_FAILED if failed else DONE


def _report(directory: str, out: str | None) -> None:
    from neuroflame.report import build_report

    found = build_report(directory, out)
    for i, path in enumerate(found.figures.values()):
        print(f"{'figures' if i == 0 else '':<8}{path}")
    print(f"report  {found.page}")
    print(found.answer)


# --- arguments --------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Complains on one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Prints the version."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import neuroflame

        print(f"neuroflame-sweep {neuroflame.__version__}")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="neuroflame-sweep",
        description="Sweep the parameters of recurrent rate networks: a YAML file becomes a labelled table.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str, does: Callable[[argparse.Namespace], int], of: str | None = None
    ) -> argparse.ArgumentParser:
        about = " ".join((does.__doc__ or "").split())
        made = commands.add_parser(name, help=about.rstrip("."), description=about)
        made.set_defaults(command=does)
        if of == "directory":
            made.add_argument("directory", metavar="DIR", help="the directory (or URI) that `run` made")
        elif of == "sweep":
            made.add_argument("sweep", metavar="SWEEP", help="a sweep file")
        made.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return made

    made = command("run", run, "sweep")
    made.add_argument(
        "--out",
        metavar="DIR",
        help="where the table goes; default runs/<name>; the same sweep in it is resumed",
    )
    _add_set(made)
    _add_compute(made)
    _add_running(made)

    made = command("resume", resume, "directory")
    made.add_argument(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        help="change when it stops (stop.points=5000, stop=null); may be repeated",
    )
    made.add_argument("--retry-failed", action="store_true", help="run points again that failed")
    _add_compute(made)
    _add_running(made)

    command("status", status, "directory")

    made = command("plan", plan, "sweep")
    _add_set(made)
    _add_compute(made)

    made = command("theory", theory, "sweep")
    made.add_argument("-o", "--out", metavar="FILE", help="the figure; default <name>.theory.png")
    _add_set(made)
    _add_compute(made)

    made = command("validate", validate)
    made.add_argument("files", metavar="FILE", nargs="+", help="a network file or a sweep file")
    _add_set(made)

    made = command("best", best, "directory")
    made.add_argument("--by", metavar="COLUMN", help="the column that counts; default what the search sought")
    made.add_argument("--smallest", action="store_true", help="small values are good")
    made.add_argument(
        "-n", "--number", type=_positive, default=10, metavar="N", help="how many (default %(default)s)"
    )

    made = command("relabel", relabel, "directory")
    made.add_argument(
        "--set",
        metavar="THRESHOLD=VALUE",
        action="append",
        help="change a threshold (see docs/regimes.md); may be repeated; those not named have their defaults",
    )
    made.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        help="write the labelled table there (.csv, .parquet, .nc or .zarr) and leave the sweep as it is; by default "
        "the thresholds are kept in DIR and its labels follow them from now on",
    )
    made.add_argument("--force", action="store_true", help="replace FILE if it is there")

    made = command("report", report, "directory")
    made.add_argument("--out", metavar="FOLDER", help="where figures and page go; default DIR/report")

    made = command("connectivity", connectivity)
    made.add_argument("network", metavar="NETWORK", help="a network file")
    made.add_argument(
        "-o", "--out", metavar="FILE", help="the PNG to write; default NETWORK's name.connectivity.png"
    )
    made.add_argument("--graph", type=int, default=0, metavar="N", help="which draw (default %(default)s)")
    made.add_argument(
        "--bins", type=_positive, default=120, metavar="N", help="resolution (default %(default)s)"
    )
    made.add_argument(
        "--eigenvalues", type=_positive, default=6, metavar="N", help="how many (default %(default)s)"
    )
    _add_set(made)

    made = command("export", export, "directory")
    made.add_argument(
        "--to", choices=("csv", "parquet", "netcdf", "zarr", "optuna"), required=True, help="what to write"
    )
    made.add_argument(
        "-o", "--out", metavar="PATH", help="the file or folder to write; default DIR/export/<name>.<ending>"
    )
    made.add_argument("--force", action="store_true", help="replace what is there")
    made.add_argument(
        "--by", metavar="COLUMN", help="for optuna: the objective; default what the search sought"
    )
    made.add_argument("--smallest", action="store_true", help="for optuna: small values are good")
    made.add_argument(
        "--over-repeats",
        action="store_true",
        help="for csv: means, standard errors and numbers over graphs and seeds, a row for each assignment and start",
    )

    command("compact", compact, "directory")

    made = command("repro", repro, "directory")
    made.add_argument("point_id", metavar="POINT_ID", help="the point, as in the column of that name")

    made = command("import-config", import_config)
    made.add_argument("file", metavar="FILE", help="a network file of the original")
    made.add_argument("-o", "--out", metavar="FILE", help="the file to write; default standard output")
    made.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        help="change a value by the original's key; may be repeated",
    )
    made.add_argument(
        "--defaults", metavar="FILE", help="what the file is merged over; default the defaults.yml beside it"
    )
    made.add_argument(
        "--as-of", choices=("2024", "2026"), help="the original's version to follow; default as the keys tell"
    )
    made.add_argument("--partial", action="store_true", help="go on without what cannot carry over")
    made.add_argument("--force", action="store_true", help="replace the file to write if it is there")
    return parser


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        help="change a value of the network (J.EE=8) or of the sweep (search.trials=50); may be repeated",
    )


def _add_compute(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--actors", type=_positive, metavar="N", help="processes that simulate")
    parser.add_argument("--tile", type=_positive, metavar="N", help="points that are simulated at once")
    parser.add_argument("--device", metavar="NAME", help="auto, cpu or cuda")
    parser.add_argument("--executor", metavar="NAME", help="auto, or the name of an executor")


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backend",
        choices=("ray", "inline"),
        help="processes of Ray, or this process; default as the sweep says",
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="a running Ray cluster, or auto; default a Ray on this machine"
    )
    parser.add_argument(
        "--takeover", action="store_true", help="if another process runs this sweep, stop it and go on here"
    )
    parser.add_argument(
        "--log-json",
        action="store_true",
        help="print one JSON object a line for each event, and nothing else, and draw no figures",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--no-report", action="store_true", help="draw no figures at the end")


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(main())
