"""pytest --autograd-engine ENGINE: one test item a rule.

Nothing is imported before the option is given: a pytest session that does not use the plugin pays for one small module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("autograd conformance")
    group.addoption("--autograd-engine", metavar="ENGINE", help="Run the suite on ENGINE: a name or module:attribute.")
    group.addoption("--autograd-oracle", metavar="ORACLE", default="torch", help="What is right: torch (default) or reference.")
    group.addoption("--autograd-programs", type=int, metavar="N", default=200, help="Random programs a rule (default 200).")
    group.addoption("--autograd-seed", type=int, metavar="N", default=0, help="Seed of the random programs (default 0).")
    group.addoption("--autograd-area", action="append", metavar="AREA", default=[], help="Only this area (repeatable).")
    group.addoption("--autograd-rule", action="append", metavar="ID", default=[], help="Only this rule (repeatable).")
    group.addoption("--autograd-level", metavar="N", help="Only rules up to this level, 1 to 4 (all, or the ini value).")
    parser.addini("autograd_level", "Only rules of the autograd conformance suite up to this level, 1 to 4.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """The marker that each item carries."""
    config.addinivalue_line("markers", "autograd_rule(id, area, level, obligation): an item of the autograd conformance suite.")


def pytest_collection(session: pytest.Session) -> None:
    """Add the suite's items to those of the session."""
    if session.config.getoption("--autograd-engine"):
        session.config.pluginmanager.register(_Collector(), "autograd-conformance-collector")


class _Collector:
    """Hooks that are wanted only where an engine was named."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, config: pytest.Config, items: list[Any]) -> Iterator[None]:
        """The rules come after the user's own tests and obey -k and -m like them."""
        items.extend(RuleSuite.from_parent(session, name=f"autograd[{config.getoption('--autograd-engine')}]").collect())
        session.testscollected = len(items)
        return (yield)


class RuleSuite(pytest.Collector):
    """The rules that were asked for."""

    def collect(self) -> Iterator[RuleItem]:
        """One item a rule, in the order of the rules."""
        from conformance.errors import UsageError
        from conformance.rules import RULES
        from conformance.run import Options

        option = self.config.getoption
        areas, rules = tuple(option("--autograd-area")), tuple(option("--autograd-rule"))
        options = Options(areas=areas, rules=rules, level=_level(self.config))
        unknown = sorted(set(options.rules) - set(RULES)) + sorted(set(options.areas) - {r.area for r in RULES.values()})
        if unknown:
            raise pytest.UsageError(f"there is no area or rule {unknown[0]!r}: `conformance rules` lists them")
        try:
            _engines(self.config)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        for rule in options.chosen:
            yield RuleItem.from_parent(self, name=rule.id, rule=rule)


class RuleItem(pytest.Item):
    """One rule on the engine: its exemplar and random programs of its area."""

    def __init__(self, *, rule: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = rule
        self.add_marker(pytest.mark.autograd_rule(rule.id, rule.area, rule.level, rule.obligation))

    def runtest(self) -> None:
        """Fails where the rule is broken; skips, with the reason, where it does not apply."""
        from conformance.api import start
        from conformance.record import assemble
        from conformance.run import Options

        option = self.config.getoption
        engine, oracle = _engines(self.config)
        options = Options(programs=option("--autograd-programs"), seed=option("--autograd-seed"), rules=(self.rule.id,))
        record = assemble(list(start(engine, options, oracle=oracle)))
        result = record.rules[0]
        if result.verdict == "unsupported":
            pytest.skip(result.reason)
        if result.verdict in ("failed", "incomplete"):
            raise RuleBroken(record, result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The proof and the reproducer instead of our own traceback."""
        if isinstance(excinfo.value, RuleBroken):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Where the item is said to be."""
        return str(self.path), None, f"autograd rule {self.name}"


class RuleBroken(Exception):
    """A rule is broken on the engine, or could not be tried."""

    def __init__(self, record: Any, result: Any) -> None:
        from conformance.api import describe

        super().__init__(describe(record) if result.verdict == "failed" else f"{result.id}: {result.reason}")


def _level(config: pytest.Config) -> int | None:
    """The level asked for on the command line or else in the ini file; None for all."""
    given = str(config.getoption("--autograd-level") or config.getini("autograd_level"))
    if given not in ("", "1", "2", "3", "4"):
        raise pytest.UsageError(f"there is no level {given!r} of rules: levels are 1 to 4")
    return int(given) if given else None


_LOADED = pytest.StashKey[tuple[Any, Any]]()


def _engines(config: pytest.Config) -> tuple[Any, Any]:
    """The engine and the oracle, started once a process."""
    if _LOADED not in config.stash:
        from conformance import engines

        config.stash[_LOADED] = (
            engines.load(config.getoption("--autograd-engine")),
            engines.load(config.getoption("--autograd-oracle")),
        )
    return config.stash[_LOADED]
