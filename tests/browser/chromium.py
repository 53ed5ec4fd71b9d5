"""Where Debian's Chromium is; run as a script, it installs it where it is missing and can be installed, or says what to type."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGE = "chromium"


def find() -> str | None:
    """The browser's path: that of $CHROMIUM, or of the first that is installed."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def main() -> int:
    """Exit status 0 if there is a browser now."""
    if find() is None and shutil.which("apt-get") and os.geteuid() == 0:
        for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", PACKAGE]):
            subprocess.run(command, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    found = find()
    if found is None:
        print(
            f"there is no Chromium: install it (on Debian: apt-get install {PACKAGE}), or name one in $CHROMIUM", file=sys.stderr
        )
        return 1
    print(f"Chromium: {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
