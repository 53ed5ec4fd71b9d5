"""The command `conformance`, a module for each command."""

from __future__ import annotations

import sys

import click

from conformance._version import __version__
from conformance.cli.baseline import baseline, corpus
from conformance.cli.history import compare, history
from conformance.cli.init import init
from conformance.cli.merge import merge
from conformance.cli.replay import replay
from conformance.cli.report import report
from conformance.cli.rules import explain, rules
from conformance.cli.run import run
from conformance.cli.scoreboard import scoreboard
from conformance.cli.smoke import smoke
from conformance.errors import ConformanceError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="conformance")
def cli() -> None:
    """Tells which rules of autograd an engine breaks, with a minimal reproducer and a proof in words."""


for command in (run, replay, report, merge, scoreboard, history, compare, baseline, corpus, rules, explain, smoke, init):
    cli.add_command(command)


def main() -> None:
    """Run the command; every error is one line on standard error and its exit status."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        status = _say("interrupted", 3)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        status = 2
    except click.ClickException as error:
        status = _say(f"{error.format_message()} (type conformance --help)".replace("\n", " "), 2)
    except ConformanceError as error:
        status = _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        status = _say("interrupted", 3)
    except BrokenPipeError:
        status = 0
    except Exception as error:
        import traceback

        traceback.print_exc()
        status = _say(f"a defect of the suite, please report it with the lines above: {type(error).__name__}: {error}", 4)
    sys.exit(status)


def _say(message: str, status: int) -> int:
    """One line on standard error."""
    click.echo(f"conformance: {message}", err=True)
    return status
