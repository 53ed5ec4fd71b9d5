"""python -m reference_engine SCRIPT [ARGS...]: run a torch script on this engine."""

from __future__ import annotations

import os
import runpy
import sys

from .install import installed_as_torch


def main() -> int:
    """Run the script named on the command line."""
    if len(sys.argv) < 2:
        print("usage: python -m reference_engine SCRIPT [ARGS...]", file=sys.stderr)
        return 2
    del sys.argv[0]
    sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
    with installed_as_torch():
        runpy.run_path(sys.argv[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
