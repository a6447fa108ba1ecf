"""The program: from arguments to an exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from neuroflame.cli.parser import make_parser
from neuroflame.cli.telling import BAD_INPUT, DONE, INTERRUPTED, complain
from neuroflame.errors import NeuroflameError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


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
        return complain(str(error), error.exit_code, debug=arguments.debug)
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone: do not complain at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        remedy = "" if arguments.debug else " (run again with --debug to see where)"
        return complain(f"{text}{remedy}", BAD_INPUT, debug=arguments.debug)
