"""The settings of the pytest plugin, a row each, and how they are read."""

from __future__ import annotations

from typing import NamedTuple

import pytest


class Setting(NamedTuple):
    """One setting: the option `--autograd-NAME`, and the ini value `autograd_NAME` with underscores."""

    name: str
    metavar: str
    help: str
    default: str = ""
    many: bool = False

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--autograd-{self.name}"

    @property
    def ini(self) -> str:
        """The name in the ini file."""
        return f"autograd_{self.name.replace('-', '_')}"


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "engine", "ENGINE", "Run the suite on ENGINE: a name, module:attribute, or exec:COMMAND; an empty name switches it off."
    ),
    Setting("oracle", "ORACLE", "What is right: torch or reference", "torch"),
    Setting("programs", "N", "Random programs a rule", "200"),
    Setting("budget", "SECONDS", "Seconds for all rules together, instead of a number of programs."),
    Setting("seed", "N", "Seed of the random programs", "0"),
    Setting("area", "AREA", "Only this area (repeatable).", many=True),
    Setting("rule", "ID", "Only this rule (repeatable).", many=True),
    Setting("level", "N", "Only rules up to this level, 1 to 4."),
    Setting("baseline", "FILE", "Known failures: a rule that fails only as the file says is an expected failure."),
    Setting("strict-baseline", "yes|no", "Whether known failures that fail no more fail their rule", "no"),
    Setting("corpus", "DIR", "Programs to replay first (tests/autograd_corpus, where it is there)."),
    Setting("report", "DIR", "Write the record and its reports into this folder."),
    Setting("format", "NAME", "Only these reports (repeatable).", many=True),
    Setting("python", "PATH", "Run the engine in a process of its own, by this interpreter."),
    Setting("isolate", "yes|no", "Run the engine in a process of its own, by this interpreter too", "no"),
    Setting("deadline", "SECONDS", "What a program may take in a process of its own."),
    Setting("memory", "MIB", "What the engine may hold in a process of its own."),
    Setting("restarts", "N", "How often it is started again there after it died."),
    Setting("strict-protocol", "yes|no", "Whether every message is checked against the protocol's JSON Schema", "no"),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


def values(config: pytest.Config, name: str) -> list[str]:
    """A setting as given on the command line, or else in the ini file, or else by default; a list of one where it takes one."""
    setting = BY_NAME[name]
    given = config.getoption(setting.option)
    if given is None:
        given = config.getini(setting.ini) or setting.default
    return [str(entry) for entry in given] if setting.many else [str(given)]


def value(config: pytest.Config, name: str) -> str:
    """A setting that takes one value."""
    return values(config, name)[0]
