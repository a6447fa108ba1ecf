"""The command line: thin, and light to import, so that it answers at once."""

from neuroflame.cli.entry import main
from neuroflame.cli.parser import make_parser

__all__ = ["main", "make_parser"]
