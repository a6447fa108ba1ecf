"""The arguments of the commands."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from neuroflame.cli import commands
from neuroflame.cli.telling import BAD_INPUT

if TYPE_CHECKING:
    from collections.abc import Callable


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
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str, does: Callable[[argparse.Namespace], int], of: str | None = None
    ) -> argparse.ArgumentParser:
        about = " ".join((does.__doc__ or "").split())
        made = subparsers.add_parser(name, help=about.rstrip("."), description=about)
        made.set_defaults(command=does)
        if of == "directory":
            made.add_argument("directory", metavar="DIR", help="the directory (or URI) that `run` made")
        elif of == "sweep":
            made.add_argument("sweep", metavar="SWEEP", help="a sweep file")
        made.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return made

    made = command("run", commands.run, "sweep")
    made.add_argument(
        "--out",
        metavar="DIR",
        help="where the table goes; default runs/<name>; the same sweep in it is resumed",
    )
    _add_set(made)
    _add_compute(made)
    _add_running(made)

    made = command("resume", commands.resume, "directory")
    made.add_argument(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        help="change when it stops (stop.points=5000, stop=null); may be repeated",
    )
    made.add_argument("--retry-failed", action="store_true", help="run points again that failed")
    _add_compute(made)
    _add_running(made)

    command("status", commands.status, "directory")

    made = command("plan", commands.plan, "sweep")
    _add_set(made)
    _add_compute(made)

    made = command("theory", commands.theory, "sweep")
    made.add_argument("-o", "--out", metavar="FILE", help="the figure; default <name>.theory.png")
    _add_set(made)
    _add_compute(made)

    made = command("validate", commands.validate)
    made.add_argument("files", metavar="FILE", nargs="+", help="a network file or a sweep file")
    _add_set(made)

    made = command("best", commands.best, "directory")
    made.add_argument("--by", metavar="COLUMN", help="the column that counts; default what the search sought")
    made.add_argument("--smallest", action="store_true", help="small values are good")
    made.add_argument(
        "-n", "--number", type=_positive, default=10, metavar="N", help="how many (default %(default)s)"
    )

    made = command("relabel", commands.relabel, "directory")
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

    made = command("robust", commands.robust, "directory")
    made.add_argument(
        "--checks",
        metavar="LIST",
        default="dt,n,t",
        help="which, with commas: dt half the step, n twice the neurons, t twice the time (default %(default)s)",
    )
    made.add_argument(
        "--points",
        type=_positive,
        metavar="N",
        help="assignments to look at, at most, half of them beside borders between labels; default 100, and all with "
        "--where",
    )
    made.add_argument(
        "--where",
        metavar="CONDITION",
        help="look only where it holds, such as 'regime == bump'",
    )
    made.add_argument(
        "--plan", action="store_true", help="tell what it would do and what that costs, and run nothing"
    )
    made.add_argument("--retry-failed", action="store_true", help="run points again that failed")
    _add_compute(made)
    _add_running(made)

    made = command("report", commands.report, "directory")
    made.add_argument("--out", metavar="FOLDER", help="where figures and page go; default DIR/report")

    made = command("connectivity", commands.connectivity)
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

    made = command("continue", commands.continue_)
    made.add_argument("network", metavar="NETWORK", help="a network file")
    made.add_argument("path", metavar="PATH", help="what varies, such as J0.E, from its value in the file")
    made.add_argument("to", metavar="TO", type=float, help="the value to go to")
    made.add_argument(
        "--start",
        choices=("network", "cold", "hot", "cued"),
        default="network",
        help="from where the network runs before: the fixed point near which it ends is followed (default %(default)s)",
    )
    made.add_argument(
        "--folds", type=_count, default=0, metavar="N", help="folds to go around (default %(default)s)"
    )
    made.add_argument("--graph", type=int, default=0, metavar="N", help="which draw (default %(default)s)")
    made.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        help="the branch, .csv or .parquet, with a PNG beside it; default NETWORK's name.PATH.csv",
    )
    _add_set(made)

    made = command("export", commands.export, "directory")
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

    command("compact", commands.compact, "directory")

    made = command("repro", commands.repro, "directory")
    made.add_argument("point_id", metavar="POINT_ID", help="the point, as in the column of that name")

    made = command("import-config", commands.import_config)
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
    parser.add_argument("--executor", metavar="NAME", help="auto, reference, trajectory, or stepped (GPUs)")


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
    return _whole(text, least=1)


def _count(text: str) -> int:
    return _whole(text, least=0)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        rule = "above 0" if least else "of at least 0"
        raise argparse.ArgumentTypeError(f"must be a whole number {rule}, got {text!r}")
    return number
