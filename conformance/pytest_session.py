"""The rules as items of a pytest session, and one record of all that its processes found."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance import api
from conformance.baseline import CORPUS, known
from conformance.baseline import corpus as specimens
from conformance.capabilities import undeclared
from conformance.encoding import encoded
from conformance.errors import ConformanceError
from conformance.fold import Fold
from conformance.pytest_settings import value, values
from conformance.record import NAME, AnyLine, Failure, Footer, Header, Known, Record, RuleResult, assemble
from conformance.remote.limits import Isolation
from conformance.remote.loading import load
from conformance.report import DEFAULT, FORMATS, write_reports
from conformance.report.ci import tell_ci
from conformance.report.summary import applied, headline, machine_sentence, sentences, summarize
from conformance.report.summary import notes as notes_of
from conformance.rules import RULES
from conformance.run import Options, Run
from conformance.writer import RecordWriter

ATTRIBUTE = "autograd_lines"  # of a test report: what the item found, as JSON, so that it travels between processes
_line = msgspec.json.Decoder(AnyLine)


class Conformance:
    """What the plugin does where an engine is named: adds the items, gathers what they found, and reports it once."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.options = options_of(config)
        self.isolation = isolation_of(config)
        self.formats = values(config, "format") or list(DEFAULT)
        yes(config, "strict-baseline")
        unknown = sorted(set(self.formats) - set(FORMATS))
        if unknown:
            raise pytest.UsageError(f"there is no format {unknown[0]!r}: type one of {', '.join(FORMATS)}")
        self.selected: list[str] = []
        self.gathered: dict[str, list[AnyLine]] = {}
        self.loaded: tuple[Any, Any] | None = None
        self.trouble = ""

    # -- the items -------------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[Any]) -> Iterator[None]:
        """The rules come after the user's own tests and obey -k and -m like them."""
        name = f"autograd[{value(self.config, 'engine')}]"
        items.extend(RuleSuite.from_parent(session, name=name, conformance=self).collect())
        session.testscollected = len(items)
        return (yield)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What is left after -k and -m."""
        self.selected = [item.name for item in session.items if isinstance(item, RuleItem)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """The same, where workers collect."""
        names = (name.rpartition("::")[2] for name in ids if "autograd[" in name)
        self.selected = [name for name in names if name in RULES]

    def engines(self) -> tuple[Any, Any]:
        """The engine and the oracle, started once a process."""
        if self.loaded is None:
            self.loaded = (load(value(self.config, "engine"), self.isolation), load(value(self.config, "oracle")))
        return self.loaded

    def options_for(self, rule: str) -> Options:
        """What to run for one item: as many programs, or its part of the seconds."""
        given = self.options
        seconds = None if given.seconds is None else given.seconds / max(len(self.selected), 1)
        kept = tuple(keepsake for keepsake in given.kept if keepsake.rule == rule)
        return msgspec.structs.replace(given, seconds=seconds, areas=(), rules=(rule,), level=None, kept=kept)

    def noted(self, record: Record, run: Run) -> Record:
        """The record of an item with the notes on all the rules, if it is the first item; else with none."""
        if record.footer is None:
            return record
        first = not record.footer.stopped and self.selected[:1] == [rule.id for rule in run.rules]
        notes = undeclared(run.judge, [RULES[rule] for rule in self.selected]) if first else []
        return msgspec.structs.replace(record, footer=msgspec.structs.replace(record.footer, notes=notes))

    # -- what they found -------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        """Hand what an item found to its report, which a worker sends home."""
        report = yield
        if isinstance(item, RuleItem) and call.when == "call" and item.lines:
            setattr(report, ATTRIBUTE, [encoded(line).decode() for line in item.lines])
        return report

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep what came home."""
        lines = [_line.decode(line) for line in getattr(report, ATTRIBUTE, ())]
        for rule in (line.id for line in lines if isinstance(line, RuleResult)):
            self.gathered[rule] = lines

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the record and its reports, once: workers leave that to the process that started them."""
        folder = value(self.config, "report")
        if hasattr(self.config, "workerinput") or not folder or not self.gathered:
            return
        record = self.record()
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            writer = RecordWriter(Path(folder) / NAME)
            lines: list[AnyLine | None] = [record.header, *record.known, *record.failures, *record.rules, record.footer]
            for line in lines:
                if line is not None:
                    writer.write(line)
            writer.close()
            write_reports(record, Path(folder), formats=self.formats)
        except OSError as error:
            self.trouble = f"the reports could not be written to {folder}: {error.strerror}"

    def record(self) -> Record:
        """One record of all items, in the order of the rules."""
        lines = [line for rule in RULES if rule in self.gathered for line in self.gathered[rule]]
        header = next(line for line in lines if isinstance(line, Header))
        results = [line for line in lines if isinstance(line, RuleResult)]
        footers = [line for line in lines if isinstance(line, Footer)]
        failures = {(line.id, line.rule): line for line in lines if isinstance(line, Failure)}
        asked = [rule for rule in RULES if rule in self.selected or rule in self.gathered]
        fold = Fold([RULES[rule] for rule in asked])
        fold.programs = sum(footer.programs for footer in footers)
        stopped = "" if len(results) == len(asked) else f"{len(asked) - len(results)} rules were not run"
        verdict, reason = fold.verdict(results, stopped)
        timing = {"seconds": sum(footer.timing.get("seconds", 0.0) for footer in footers)}
        notes = [note for footer in footers for note in footer.notes]
        command = f"pytest --autograd-engine {header.engine}"
        return Record(
            header=msgspec.structs.replace(header, rules=asked, command=command, budget_seconds=self.options.seconds),
            failures=list(failures.values()),
            known=[line for line in lines if isinstance(line, Known)],
            rules=results,
            footer=Footer(programs=fold.programs, verdict=verdict, reason=reason, notes=notes, timing=timing),
        )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The verdict in a few lines, the last of them for machines."""
        if not self.gathered:
            return
        record, folder = self.record(), value(self.config, "report")
        summary = summarize(record)
        missing = [f"{number} {name}" for name, number in summary.total.counts.items()
                   if name in ("unsupported", "incomplete") and number]  # fmt: skip
        lines = [headline(summary), sentences(summary), applied(summary) + (f" ({', '.join(missing)})" if missing else "")]
        lines += notes_of(summary)
        if folder and not self.trouble:
            lines.append(f"report: {Path(folder) / FORMATS[self.formats[0]].file}")
        terminalreporter.section("autograd conformance")
        for line in (*lines, *([self.trouble] if self.trouble else []), machine_sentence(summary)):
            terminalreporter.write_line(line)
        trouble = tell_ci(record, Path(folder or "."), terminalreporter.write)
        if trouble:
            terminalreporter.write_line(trouble)


class RuleSuite(pytest.Collector):
    """The rules that were asked for."""

    def __init__(self, *, conformance: Conformance, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conformance = conformance

    def collect(self) -> Iterator[RuleItem]:
        """One item a rule, in the order of the rules."""
        try:
            self.conformance.engines()
        except ConformanceError as error:
            raise pytest.UsageError(str(error)) from None
        for rule in self.conformance.options.chosen:
            yield RuleItem.from_parent(self, name=rule.id, rule=rule, conformance=self.conformance)


class RuleItem(pytest.Item):
    """One rule on the engine: its exemplar and random programs of its area."""

    def __init__(self, *, rule: Any, conformance: Conformance, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conformance = conformance
        self.lines: list[AnyLine] = []
        self.add_marker(pytest.mark.autograd_rule(id=rule.id, area=rule.area, level=rule.level, obligation=rule.obligation))
        for name in (f"level_{rule.level}", f"area_{rule.area}", rule.obligation.lower()):
            self.add_marker(f"autograd_{name}")

    def runtest(self) -> None:
        """Fails where the rule is broken; skips, with the reason, where it does not apply."""
        engine, oracle = self.conformance.engines()
        run = api.start(engine, self.conformance.options_for(self.name), oracle=oracle)
        record = self.conformance.noted(assemble(list(run)), run)
        (result,) = record.rules
        header = msgspec.structs.replace(record.header, engine=value(self.config, "engine"))
        self.lines = [header, *record.known, *record.failures, result, *([record.footer] if record.footer else [])]
        if result.verdict == "unsupported":
            pytest.skip(result.reason)
        if result.verdict in ("failed", "incomplete"):
            raise RuleBroken(record, result)
        stale = [known for known in record.known if known.state == "stale"]
        if stale and yes(self.config, "strict-baseline"):
            raise RuleKept("\n".join(f"{k.place}: {k.rule} ({k.id}) no longer fails so: remove the line" for k in stale))
        if result.verdict == "known":
            reasons = [f"{k.place}: {k.reason}".rstrip(": ") for k in record.known if k.state == "known"]
            pytest.xfail("; ".join(reasons) or "known to the baseline")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The proof and the reproducer instead of our own traceback."""
        if isinstance(excinfo.value, (RuleBroken, RuleKept)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Where the item is said to be."""
        return str(self.path), None, f"autograd rule {self.name}"


class RuleBroken(Exception):
    """A rule is broken on the engine, or could not be tried."""

    def __init__(self, record: Record, result: RuleResult) -> None:
        super().__init__(api.describe(record) if result.verdict == "failed" else f"{result.id}: {result.reason}")


class RuleKept(Exception):
    """A failure that the baseline knows of is mended: its line is to go."""


def options_of(config: pytest.Config) -> Options:
    """The rules, programs and seed that were asked for.

    Raises:
        pytest.UsageError: a number that is none, or a name that does not exist.
    """
    seconds, level = number(config, "budget", float), number(config, "level", int)
    if seconds is not None and config.getoption("--autograd-programs") is not None:
        raise pytest.UsageError("--autograd-budget and --autograd-programs exclude each other: give one of them")
    if level is not None and not 1 <= level <= 4:
        raise pytest.UsageError(f"there is no level '{level}' of rules: levels are 1 to 4")
    areas, rules = tuple(values(config, "area")), tuple(values(config, "rule"))
    unknown = sorted(set(rules) - set(RULES)) + sorted(set(areas) - {rule.area for rule in RULES.values()})
    if unknown:
        raise pytest.UsageError(f"there is no area or rule {unknown[0]!r}: `conformance rules` lists them")
    programs = None if seconds is not None else number(config, "programs", int)
    seed = number(config, "seed", int) or 0
    kept = kept_of(config)
    return Options(seconds=seconds, programs=programs, seed=seed, areas=areas, rules=rules, level=level, **kept)


def kept_of(config: pytest.Config) -> dict[str, Any]:
    """What is replayed first: the baseline and the corpus, as options of a run."""
    baseline, corpus = value(config, "baseline"), value(config, "corpus")
    folder = Path(corpus) if corpus else CORPUS if CORPUS.is_dir() else None
    try:
        kept = [*(known(Path(baseline)) if baseline else ()), *(specimens(folder) if folder is not None else ())]
    except ConformanceError as error:
        raise pytest.UsageError(str(error)) from None
    return {"kept": tuple(kept), "baseline": baseline, "corpus": str(folder or "")}


def isolation_of(config: pytest.Config) -> Isolation | None:
    """The limits of an engine in a process of its own, where one is asked for."""
    given = {
        "python": value(config, "python") or None, "deadline": number(config, "deadline", float),
        "memory": number(config, "memory", int), "restarts": number(config, "restarts", int),
        "strict": yes(config, "strict-protocol") or None,
    }  # fmt: skip
    limits = {name: limit for name, limit in given.items() if limit is not None}
    return Isolation(**limits) if limits or yes(config, "isolate") else None


def yes(config: pytest.Config, name: str) -> bool:
    """A setting that is yes or no."""
    given = value(config, name).lower()
    if given not in ("yes", "no", "true", "false", "1", "0"):
        raise pytest.UsageError(f"--autograd-{name} is yes or no, not {given!r}")
    return given in ("yes", "true", "1")


def number(config: pytest.Config, name: str, kind: Any) -> Any:
    """A setting as a number that is not negative; None where it is not given."""
    text = value(config, name)
    if not text:
        return None
    try:
        found = kind(text)
    except ValueError:
        found = -1
    if not 0 <= found < float("inf"):
        raise pytest.UsageError(f"--autograd-{name} is a number, 0 or more, not {json.dumps(text)}")
    return found
