"""What a run says on a terminal when it is over: one screen."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.record import Failure, Record, RuleVerdict
from conformance.report.saved import saved_sentence, summarize_saved
from conformance.report.summary import (
    MARKS,
    VERDICTS,
    AreaRow,
    Summary,
    applied,
    excused,
    headline,
    machine_sentence,
    most_telling,
    sentences,
    summarize,
    words,
)
from conformance.report.summary import notes as told
from conformance.report.text import CELL, clip, count, one_line

SCREENS = (24, 40)  # lines that the summary keeps to: those of the terminal, within these bounds
WIDEST = 100  # columns used of a wide terminal, so that the eye does not travel
MOST = 8  # failures shown at most
LEAST = 3  # failures shown even where the screen is then too short
PROOF = 1  # lines of each proof that are worth folding the matrix for
AREA = 13  # columns of an area's name
NAME = 100  # characters of a rule's name

STYLES: dict[RuleVerdict, str] = {
    "passed": "green",
    "failed": "bold red",
    "known": "red",
    "safe": "blue",
    "differs": "magenta",
    "unsupported": "",
    "incomplete": "yellow",
}
VERDICT_STYLES = {"conforms": "bold green", "diverges": "bold red", "incomplete": "bold yellow"}


def render_summary(record: Record, *, color: bool, width: int, height: int = SCREENS[1], folder: Path | None = None) -> str:
    """The end of a run on one screen: the verdict, the matrix, the most telling failures, one sentence for machines.

    Args:
        record: what was recorded, with or without a footer.
        color: whether to style the text; without, it holds no escape sequence.
        width: columns of the terminal.
        height: lines of the terminal.
        folder: where the reports lie; None leaves the line out.
    """
    summary = summarize(record)
    head = [Text(headline(summary), VERDICT_STYLES[record.verdict]), Text(sentences(summary)), Text()]
    tail = [Text(), *_notes(summary, width, folder), Text(machine_sentence(summary), overflow="ignore", no_wrap=True)]
    room = (
        min(max(height, SCREENS[0]), SCREENS[1]) - 1 - sum(_lines(line, width) for line in (*head, *tail))
    )  # one line is the prompt's
    matrix, failures = _body(summary, width, room)
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
        _environ={},
    )
    for part in (*head, *matrix, *failures, *tail):
        console.print(part, soft_wrap=isinstance(part, Text) and part.no_wrap is True)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "".join(line.rstrip(" ") + "\n" for line in text.split("\n")[:-1])


def _lines(line: Text, width: int) -> int:
    """Lines of a terminal of that width: it folds what we do not wrap."""
    return max(-(-len(line.plain) // width) if line.no_wrap else len(textwrap.wrap(line.plain, width)), 1)


def _body(summary: Summary, width: int, room: int) -> tuple[list[Text | Table], list[Text]]:
    """The matrix and the failures, which share the room: many areas stand side by side where failures need it."""
    rows = len(summary.rows) + (len(summary.rows) > 1)
    left = room - rows - 1
    wanted = min(len(_shown(summary)), MOST) * (1 + PROOF) + 2
    panels = min(width // _panel_width(summary), rows)
    fits = _matrix_width(summary, width) <= width
    if fits and (left >= wanted or panels < 2):
        return [_matrix(summary, width)], _failures(summary, min(width, WIDEST), left)
    legend, panels = _legend(summary), max(panels, 1) if left < wanted else 1
    table = _panels(summary, summary.rows, panels)
    left = room - _lines(legend, width) - 1 - table.row_count
    if left < LEAST * (1 + PROOF) + 2 and panels > 1:  # the screen of old: what is well is counted, not listed
        shown = tuple(row for row in summary.rows if row.counts["failed"] or row.counts["incomplete"]) or summary.rows
        well = len(summary.rows) - len(shown)
        legend = Text("  ").join([legend, Text(f"+ {count(well, 'area')} without failures", "dim")]) if well else legend
        table = _panels(summary, shown, panels)
        left = room - _lines(legend, width) - 1 - table.row_count
    return [legend, table], _failures(summary, min(width, WIDEST), left)


def _columns(summary: Summary, width: int) -> list[RuleVerdict]:
    """The verdicts that have a column. A narrow terminal gets only those that occur."""
    return _occurring(summary) if width < 80 else [word.name for word in words(summary)]


def _matrix_width(summary: Summary, width: int) -> int:
    """Columns that the matrix takes under whole words."""
    return (
        AREA + sum(len(name) + 1 for name in ("rules", *_columns(summary, width))) + 1 + max(len(f"{summary.total.checks:,}"), 6)
    )


def _matrix(summary: Summary, width: int) -> Table:
    """Area x verdict."""
    verdicts = _columns(summary, width)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="", show_header=True)
    table.add_column("area", no_wrap=True, min_width=AREA)
    for name in ("rules", *verdicts, "checks"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in summary.rows:
        table.add_row(*_cells(row, verdicts))
    if len(summary.rows) > 1:
        table.add_row(*_cells(summary.total, verdicts), style="bold")
    return table


def _cells(row: AreaRow, verdicts: list[RuleVerdict]) -> list[Text]:
    """One area with everything that is counted of it."""
    return [Text(one_line(row.name)), Text(f"{row.rules}"), *_counts(row, verdicts), Text(f"{row.checks:,}")]


def _counts(row: AreaRow, verdicts: list[RuleVerdict]) -> list[Text]:
    """Zeros are dots, so that the eye finds what is there."""
    return [Text(f"{row.counts[name]}", STYLES[name]) if row.counts[name] else Text("·", "dim") for name in verdicts]


def _occurring(summary: Summary) -> list[RuleVerdict]:
    """The verdicts that some rule got."""
    return [word.name for word in VERDICTS if summary.total.counts[word.name]]


def _panel_width(summary: Summary) -> int:
    """Columns of one panel with its gap."""
    return AREA + 4 * len(_occurring(summary)) + 1


def _legend(summary: Summary) -> Text:
    """What the marks above the panels mean."""
    legend = [(f"{MARKS[name]} {name}", STYLES[name]) for name in _occurring(summary)]
    return Text("  ").join(Text(word, style) for word, style in legend)


def _panels(summary: Summary, areas: tuple[AreaRow, ...], panels: int) -> Table:
    """Area x verdict with the areas in panels side by side, read column by column, under marks instead of words."""
    verdicts = _occurring(summary)
    rows = (*areas, summary.total) if len(summary.rows) > 1 else areas
    entries = [[Text(one_line(row.name), "bold" if row is summary.total else ""), *_counts(row, verdicts)] for row in rows]
    height = -(-len(entries) // panels)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="", show_header=True)
    for _ in range(panels):
        table.add_column("area", no_wrap=True, width=AREA)
        for name in verdicts:
            table.add_column(MARKS[name], justify="right", no_wrap=True, width=3)
        table.add_column("", width=1)
    blank = [Text()] * (len(verdicts) + 1)
    for place in range(height):
        row = [entries[k] if k < len(entries) else blank for k in range(place, height * panels, height)]
        table.add_row(*(cell for panel in row for cell in (*panel, Text())))
    return table


def _shown(summary: Summary) -> tuple[Failure, ...]:
    """What is broken; where nothing is, what the engine decides otherwise and may."""
    return summary.broken or summary.allowed


def _failures(summary: Summary, width: int, room: int) -> list[Text]:
    """The most telling failures, with as much of each proof as the screen has room for."""
    telling = most_telling(_shown(summary))[:MOST]
    verdicts = {result.id: result.verdict for result in summary.results}
    for lines in (4, 3, 2, 1):
        entries = [_failure(failure, verdicts[failure.rule], width, lines) for failure in telling]
        if sum(map(len, entries)) + 2 <= room:
            break
    while len(entries) > LEAST and sum(map(len, entries)) + 2 > room:
        entries.pop()
    left = len(_shown(summary)) - len(entries)
    more = [Text(f"… and {left:,} more in the report", "dim")] if left else []
    return [Text(), *(line for entry in entries for line in entry), *more] if entries else []


def _failure(failure: Failure, verdict: RuleVerdict, width: int, lines: int) -> list[Text]:
    """The replay command stands beside the rule where both fit, below the proof where they do not; it is never cut."""
    rule, replay = f"{MARKS[verdict]} {one_line(clip(failure.rule, NAME))}", one_line(clip(failure.replay, CELL))
    text = one_line(clip(failure.proof or failure.statement, CELL))
    proof = textwrap.wrap(text, max(width - 2, 20), max_lines=lines, placeholder=" …")
    body = [Text("  " + line, no_wrap=True, overflow="ignore") for line in proof]
    gap = width - len(rule) - len(replay)
    if gap >= 2:
        return [Text.assemble((rule, STYLES[verdict]), " " * gap, (replay, "cyan")), *body]
    return [Text(rule, STYLES[verdict]), *body, Text("  " + replay, "cyan", no_wrap=True, overflow="ignore")]


def _notes(summary: Summary, width: int, folder: Path | None) -> list[Text]:
    """What a hasty reader would miss: how much applied, what is allowed, where the report lies."""
    counts = summary.total.counts
    missing = [f"{counts[name]} {name}" for name in ("unsupported", "incomplete") if counts[name]]
    notes = [applied(summary) + (f" ({', '.join(missing)})" if missing else "")]
    if summary.record.saved:
        notes.append(f"saved tensors: {saved_sentence(summarize_saved(summary.record), one_line(summary.record.header.oracle))}")
    named = {word: [f"{MARKS[r.verdict]} {one_line(r.id)}" for r in results] for word, results in excused(summary).items()}
    lines = [textwrap.shorten(f"{word}: {', '.join(rules)}", width, placeholder=" …") for word, rules in named.items()]
    if lines and len("; ".join((notes[0], *lines))) <= width:
        notes[0] = "; ".join((notes[0], *lines))
    else:
        notes[1:1] = lines
    if told(summary):
        notes.append(textwrap.shorten("; ".join(told(summary)), width, placeholder=" …"))
    if folder is not None:
        notes.append(f"report: {one_line(str(folder / 'index.html'))}")
    return [Text(note, no_wrap=True) for note in notes]
