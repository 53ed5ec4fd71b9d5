"""Shards of one run, put together: the record that the run would have written unsharded, but for the timing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

import msgspec

from conformance.areas import AREA_NAMES
from conformance.errors import UsageError
from conformance.fold import Fold
from conformance.phases import KEPT, place_of
from conformance.record import AnyLine, Footer, Header, Phase, Record
from conformance.rules import RULES


def merge(records: Sequence[Record]) -> Iterator[AnyLine]:
    """The lines of the whole record. A shard that is missing, or did not end, leaves it incomplete.

    Raises:
        UsageError: these are not shards of one run, or one is given twice.
    """
    shards = sorted(records, key=lambda record: _shard(record.header))
    _check(shards)
    fold = Fold([RULES[rule] for rule in shards[0].header.rules])
    yield _whole(shards[0].header)
    for phase, record in sorted(_phases(shards), key=lambda pair: place_of(pair[0].part, pair[0].area, pair[0].round)):
        offered = [cause for cause in phase.causes if fold.offer(cause)]
        for cause in offered:
            yield from (f for f in record.failures if (f.id, f.rule) == (cause.id, cause.rule))
        if phase.part == "kept":
            yield from record.known
        if phase.part == "matrix":
            yield from record.saved
        fold.add(phase)
        yield phase
    results = fold.results()
    yield from results
    stopped = _stopped(shards)
    verdict, reason = fold.verdict(results, stopped)
    machine = "; ".join(dict.fromkeys(record.footer.machine for record in shards if record.footer is not None))
    notes = list(dict.fromkeys(note for record in shards if record.footer is not None for note in record.footer.notes))
    yield Footer(
        programs=fold.programs, verdict=verdict, reason=reason, notes=notes, stopped=stopped, machine=machine,
        timing=_timing(shards, fold.programs),
    )  # fmt: skip


def _phases(shards: Sequence[Record]) -> Iterator[tuple[Phase, Record]]:
    """The phases of all shards, with the record that holds what was found in each. What is kept, every shard replays alike."""
    for place, record in enumerate(shards):
        yield from ((phase, record) for phase in record.phases if phase.part != "kept" or place == 0)


def _shard(header: Header) -> tuple[int, int]:
    """The k and n of a shard."""
    k, slash, n = header.shard.partition("/")
    if not slash or not (k.isascii() and n.isascii() and k.isdigit() and n.isdigit()):
        raise UsageError("merge takes the records of shards, and one of these is of a whole run: make them with --shard K/N")
    return int(k), int(n)


def _whole(header: Header) -> Header:
    """The header of the run that was divided."""
    words = shlex.split(header.command)
    if "--shard" in words:
        place = words.index("--shard")
        del words[place : place + 2]
    return msgspec.structs.replace(header, shard="", command=shlex.join(words))


def _check(shards: Sequence[Record]) -> None:
    """They are shards of one run, each given once, and known to this version."""
    if not shards:
        raise UsageError("merge needs the record of at least one shard")
    first = shards[0].header
    seen = [record.header.shard for record in shards]
    for shard in seen:
        if seen.count(shard) > 1:
            raise UsageError(f"shard {shard} is given twice")
    for record in shards:
        fields = [("number of shards", _shard(first)[1], _shard(record.header)[1])]
        one, other = _whole(first), _whole(record.header)
        fields += [(name, getattr(one, name), getattr(other, name)) for name in Header.__struct_fields__]
        for name, a, b in fields:
            if a != b:
                raise UsageError(f"shards {first.shard} and {record.header.shard} are of different runs: {name} {a!r} and {b!r}")
    for record in shards:
        if not _is_known(record):
            raise UsageError(f"shard {record.header.shard} is damaged, or of another version of the suite: run it again")


def _is_known(record: Record) -> bool:
    """Whether all that the record names exists in this version, and every count has its rule."""
    n = len(record.header.rules)
    return (
        RULES.keys() >= {*record.header.rules, *(cause.rule for phase in record.phases for cause in phase.causes)}
        and all(phase.area in (*AREA_NAMES, KEPT) and len(phase.exercised) in (0, n) for phase in record.phases)
        and 1 <= _shard(record.header)[0] <= _shard(record.header)[1] <= len(AREA_NAMES)
    )


def _stopped(shards: Sequence[Record]) -> str:
    """Why the whole is incomplete: shards that are missing, or that did not end."""
    n = _shard(shards[0].header)[1]
    given = {_shard(record.header)[0]: record for record in shards}
    missing = [f"{k}/{n}" for k in range(1, n + 1) if k not in given]
    if missing:
        return f"shard {', '.join(missing)} is missing" if len(missing) == 1 else f"shards {', '.join(missing)} are missing"
    for record in shards:
        if record.footer is None:
            return f"shard {record.header.shard} did not end"
        if record.footer.stopped:
            return record.footer.stopped
    return ""


def _timing(shards: Sequence[Record], programs: int) -> dict[str, float]:
    """The longest of the shards' times, and the sum of what they cost."""
    timings = [record.footer.timing for record in shards if record.footer is not None]
    seconds = max((timing.get("seconds", 0.0) for timing in timings), default=0.0)
    cpu = sum(timing.get("cpu_seconds", 0.0) for timing in timings)
    return {"seconds": seconds, "cpu_seconds": cpu, "programs_per_second": programs / max(seconds, 1e-9)}
