"""`conformance init`: an adapter, a tox environment and a CI workflow to begin with."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("module", metavar="[ENGINE-MODULE]", required=False)
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to write (here).")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def init(module: str | None, folder: Path, force: bool) -> int:
    """Write a commented adapter for ENGINE-MODULE, a tox environment and a CI workflow.

    For a module with torch-like names the adapter works as it stands; otherwise it is a sketch to fill in.
    """
    import os
    import sys

    from conformance.init import ADAPTER, NAME, write

    for path in (os.getcwd(), str(folder.resolve())):
        if path not in sys.path:
            sys.path.insert(0, path)
    written = write(module, folder, force=force)
    for file in written.files:
        click.echo(f"wrote {file}")
    if written.sketch:
        click.echo(f"{ADAPTER} is a sketch to fill in: {' '.join(written.sketch.split())}")
    where = f"cd {folder} && " if folder != Path() else ""
    click.echo(f"next: {where}conformance smoke {NAME}")
    return 0
