"""``python -m kplate``: the command line."""

import sys

from kplate.cli import main

if __name__ == "__main__":
    sys.exit(main())
