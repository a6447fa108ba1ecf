"""``python -m neuroflame`` is the command line."""

import sys

from neuroflame.cli import main

if __name__ == "__main__":
    sys.exit(main())
