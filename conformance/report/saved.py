"""The saved-tensor matrix of a record as data: which ops save otherwise than the oracle's, and tables to show it in.

A column asks one question: where these operands require grad, does backward need this tensor as it was? Ops of as many operands
have the same questions, so that each number of operands is a table of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from conformance.record import Record, SavedCell, SavedRow, SavedVerdict
from conformance.report.text import count

OPERANDS = "abcdefgh"
RESULT = "out"


class SavedWord(NamedTuple):
    """An answer as reports show it. `style` is the verdict of rules whose colour it has."""

    name: SavedVerdict
    mark: str
    word: str
    style: str
    meaning: str


SAVED_WORDS: tuple[SavedWord, ...] = (
    SavedWord("saved", "●", "saved", "passed", "backward refuses after a write into the tensor"),
    SavedWord("free", "○", "not saved", "safe", "a write into the tensor changes no gradient"),
    SavedWord("wrong", "✗", "silently wrong", "failed", "a write into the tensor changes gradients without a word"),
    SavedWord("refused", "!", "refused", "differs", "the write itself is refused, or backward for another reason"),
    SavedWord("unsupported", "-", "unsupported", "unsupported", "the question could not be put"),
)
BY_VERDICT: dict[SavedVerdict, SavedWord] = {word.name: word for word in SAVED_WORDS}


class Column(NamedTuple):
    """One question: `requires_grad` has one digit an operand, `target` is the tensor written into.

    `first` marks the first column of those with the same operands requiring grad.
    """

    requires_grad: str
    target: str
    first: bool

    @property
    def requiring(self) -> str:
        """The operands that require grad, by name."""
        return ", ".join(name for name, digit in zip(OPERANDS, self.requires_grad, strict=False) if digit == "1")


class SavedTable(NamedTuple):
    """Ops with the same number of operands. `cells` of a row stand in the order of `columns`; None where nothing was asked."""

    operands: int
    columns: tuple[Column, ...]
    rows: tuple[tuple[SavedRow, tuple[SavedCell | None, ...]], ...]

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The operands that require grad, with how many columns stand under them."""
        return list(Counter(column.requiring for column in self.columns).items())


class SavedSummary(NamedTuple):
    """The matrix as a whole: ops that save `otherwise` than the oracle's, of which some are silently `wrong`, and the rest."""

    ops: int
    answers: dict[SavedVerdict, int]
    otherwise: tuple[SavedRow, ...]
    wrong: tuple[SavedRow, ...]
    alike: tuple[SavedRow, ...]

    @property
    def questions(self) -> int:
        """How many questions were asked."""
        return sum(self.answers.values())


def summarize_saved(record: Record) -> SavedSummary:
    """The record's matrix, with the engine's answers counted."""
    rows = record.saved
    otherwise = tuple(row for row in rows if any(map(differs, row.cells)))
    wrong = tuple(row for row in otherwise if any(cell.observed == "wrong" for cell in row.cells if differs(cell)))
    counts = Counter(cell.observed for row in rows for cell in row.cells)
    alike = tuple(row for row in rows if not any(map(differs, row.cells)))
    return SavedSummary(len(rows), {word.name: counts[word.name] for word in SAVED_WORDS}, otherwise, wrong, alike)


def differs(cell: SavedCell) -> bool:
    """Whether the engine answers otherwise than the oracle. A question that could not be put to one of them tells nothing."""
    return cell.expected != cell.observed and "unsupported" not in (cell.expected, cell.observed)


def saved_sentence(summary: SavedSummary, oracle: str) -> str:
    """The matrix in one line."""
    otherwise, wrong = len(summary.otherwise), len(summary.wrong)
    verb = "saves" if otherwise == 1 else "save"
    return f"{count(summary.ops, 'op')} asked, {otherwise:,} {verb} otherwise than {oracle}, {wrong:,} silently wrong"


def tables(rows: Iterable[SavedRow]) -> Iterator[SavedTable]:
    """The rows as tables, fewest operands first; a table has the columns that its rows fill."""
    by_operands: dict[int, list[SavedRow]] = {}
    for row in rows:
        by_operands.setdefault(max((len(cell.requires_grad) for cell in row.cells), default=0), []).append(row)
    for operands, group in sorted(by_operands.items()):
        columns: list[Column] = []
        for digits, target in sorted({_question(cell) for row in group for cell in row.cells}, key=_place):
            columns.append(Column(digits, target, not columns or columns[-1].requires_grad != digits))
        yield SavedTable(operands, tuple(columns), tuple((row, _filled(row, columns)) for row in group))


def _question(cell: SavedCell) -> tuple[str, str]:
    return cell.requires_grad, cell.target


def _place(question: tuple[str, str]) -> tuple[int, tuple[bool, ...], bool, str]:
    """Where all operands require grad first, where one alone does last; the result after the operands."""
    digits, target = question
    return -digits.count("1"), tuple(digit != "1" for digit in digits), target == RESULT, target


def _filled(row: SavedRow, columns: list[Column]) -> tuple[SavedCell | None, ...]:
    """The row's cells in the order of the columns."""
    cells = {_question(cell): cell for cell in row.cells}
    return tuple(cells.get((column.requires_grad, column.target)) for column in columns)
