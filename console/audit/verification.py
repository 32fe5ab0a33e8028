"""Reads a hash chain from its beginning and reports every problem."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Max, Min, Q

from console.accounts.encryption import Undecryptable
from console.accounts.models import Team
from console.audit import hmacs
from console.audit.models import TEAMLESS_CHAIN, AuditChain, AuditRecord

_BATCH_SIZE = 500
_MAX_MISMATCHES = 200  # mismatching entries that are compared with each other, to distinguish moved records from altered ones
_CLOSING_COLUMNS = ("code", "message", "request_id", "closed_hmac")


@dataclass(frozen=True)
class Problem:
    """A problem of a chain: its kind, a sentence, and the record's id if it concerns one.

    Kinds: removed, altered, inserted, reordered, truncated, head, key; file (of an export).
    """

    kind: str
    text: str
    record: int | None = None


@dataclass(frozen=True)
class ChainEntry:
    """The opening or the closing of a record, as stored in the database. `content` is the text that its HMAC should cover."""

    number: int
    hmac: str
    content: str
    record: AuditRecord
    is_opening: bool


@dataclass
class ChainReader:
    """The position in a chain that is being read, the states that are possible there, and the mismatches so far.

    After an entry whose HMAC does not match, two states are possible: that of the stored HMAC and that of the expected one.
    """

    chain: AuditChain
    key: str
    number: int
    states: list[str]
    after_gap: bool = False
    mismatches: list[tuple[ChainEntry, list[str]]] = field(default_factory=list)

    def accept_entry(self, entry: ChainEntry) -> bool:
        """Move on to `entry`, the next one. Returns whether its HMAC matches.

        After a gap every HMAC matches, because the entry that it follows is missing.
        """
        expected = [hmacs.entry_hmac(self.key, entry.number, state, entry.content) for state in self.states]
        matches = self.after_gap or entry.hmac in expected
        if not matches and len(self.mismatches) < _MAX_MISMATCHES:
            self.mismatches.append((entry, self.states))
        self.number, self.after_gap = entry.number, False
        candidates = [entry.hmac] if matches else [entry.hmac, *expected]
        self.states = [hmacs.state_after(self.key, entry.number, candidate) for candidate in candidates]
        return matches


def report_missing_chains() -> Iterator[Problem]:
    """Report teams without a chain, and chains that were created and no longer exist, also those of deleted teams."""
    for slug in Team.objects.filter(audit_chain=None).order_by("slug").values_list("slug", flat=True):
        yield Problem("removed", f"the team {slug} has no chain")
    count = _count_created_chains()
    numbers = set(AuditChain.objects.exclude(name=TEAMLESS_CHAIN).values_list("number", flat=True))
    if numbers and not AuditChain.objects.filter(name=TEAMLESS_CHAIN).exists():
        yield Problem("removed", "the chain without a team does not exist")
    for number in sorted(set(range(1, count + 1)) - numbers):
        yield Problem("removed", f"chain {number} of {count} does not exist")
    count = _count_created_chains()  # again: a chain may have been created in the meantime
    for number in sorted(number for number in numbers if number > count):
        yield Problem(
            "head", f"chain {number} was created after chain {count}, the last one that was counted"
        )


def _count_created_chains() -> int:
    counts = AuditChain.objects.filter(name=TEAMLESS_CHAIN).values_list("chain_count", flat=True)
    return counts.first() or 0


def report_unchained(records: Iterable[AuditRecord]) -> Iterator[Problem]:
    """Report records that are in no chain. The console adds every record to a chain."""
    for record in records:
        yield Problem("inserted", f"{_describe_record(record)} is not in the hash chain", record.pk)


def verify_chain(chain: AuditChain, since: datetime | None = None) -> Iterator[Problem]:
    """Yield the problems of a chain while reading it, 500 entries at a time. Records may be added in the meantime.

    `since`: read only from the first record of that time on; what is before it is not checked.
    """
    try:
        key = hmacs.check_key(chain.key)
    except Undecryptable as error:
        yield Problem("key", str(error))
        return
    if chain.row_hmac != hmacs.row_hmac(key, vars(chain)):
        yield Problem("head", "the first and last entry stored with the chain were changed")
    yield from _check_team(chain)
    length, head = chain.length, chain.state
    reader = _start_reader(chain, key, since)
    yield from _read_chain(reader, length)
    yield from _classify_mismatches(reader)
    if not reader.after_gap and head not in reader.states:
        yield Problem("head", f"the head does not follow from entry {length}")
    yield from _find_records_after_head(chain)
    unnumbered = AuditRecord.objects.filter(chain=chain, opened_number=None)
    yield from report_unchained(unnumbered.iterator(chunk_size=_BATCH_SIZE))


def _check_team(chain: AuditChain) -> Iterator[Problem]:
    """Check that the chain belongs to the team in its name, or to none if that team was deleted."""
    pk = chain.name.rpartition("-")[2]
    named_team = Team.objects.filter(pk=int(pk)).first() if pk.isdecimal() else None
    if chain.team_id != (named_team.pk if named_team else None):
        yield Problem("altered", "the chain was moved out of its team")


def _start_reader(chain: AuditChain, key: str, since: datetime | None) -> ChainReader:
    if since is not None:
        records = AuditRecord.objects.filter(chain=chain)
        first = records.filter(at__gte=since).aggregate(first=Min("opened_number"))["first"]
        number = chain.length if first is None else first - 1
        previous = next(iter(read_entries(chain, number, number).get(number, [])), None)
        if number > chain.base_length and previous is not None:
            return ChainReader(chain, key, number, [hmacs.state_after(key, number, previous.hmac)])
    return ChainReader(chain, key, chain.base_length, [chain.base_state])


def _read_chain(reader: ChainReader, length: int) -> Iterator[Problem]:
    chain = reader.chain
    while reader.number < length:
        last = min(reader.number + _BATCH_SIZE, length)
        entries_by_number = read_entries(chain, reader.number + 1, last)
        # Missing entries may have been pruned in the meantime: then the chain now begins later.
        chain.refresh_from_db(fields=["base_length", "base_state"])
        if chain.base_length > reader.number:
            reader.number, reader.states, reader.after_gap = chain.base_length, [chain.base_state], False
            continue
        missing: list[int] = []
        for number in range(reader.number + 1, last + 1):
            entries = entries_by_number.get(number, [])
            if not entries:
                missing.append(number)
                reader.number, reader.after_gap = number, True
                continue
            if missing:
                yield _removed_problem(missing)
                missing = []
            for other in entries[1:]:
                text = f"{_describe_record(other.record)} also claims to be entry {number}"
                yield Problem("inserted", text, other.record.pk)
            yield from _check_uncovered_columns(chain, entries[0])
            if not reader.accept_entry(entries[0]) and len(reader.mismatches) >= _MAX_MISMATCHES:
                yield _altered_problem(entries[0])
        if missing:
            yield (
                Problem("truncated", f"entries {missing[0]} to {last} at the end are missing")
                if last == length
                else _removed_problem(missing)
            )


def read_entries(chain: AuditChain, first: int, last: int) -> dict[int, list[ChainEntry]]:
    """Return the entries from number `first` to `last`, by number. A number has several entries only after manipulation."""
    entries: dict[int, list[ChainEntry]] = defaultdict(list)
    records = AuditRecord.objects.filter(chain=chain).select_related(None)
    for record in records.filter(opened_number__range=(first, last)).order_by("opened_number"):
        number, content = record.opened_number or 0, hmacs.opening_content(vars(record))
        entries[number].append(ChainEntry(number, record.opened_hmac, content, record, is_opening=True))
    for record in records.filter(closed_number__range=(first, last)).order_by("closed_number"):
        number, content = record.closed_number or 0, hmacs.closing_content(vars(record))
        entries[number].append(ChainEntry(number, record.closed_hmac, content, record, is_opening=False))
    return entries


def _check_uncovered_columns(chain: AuditChain, entry: ChainEntry) -> Iterator[Problem]:
    """Check what no HMAC covers: the record belongs to the chain's team, and an open record has no outcome."""
    record = entry.record
    if not entry.is_opening:
        return
    if record.team_id != chain.team_id:
        text = f"{_describe_record(record)} was moved out of its team"
        yield Problem("altered", text, record.pk)
    has_outcome = record.outcome != AuditRecord.Outcome.OPEN or record.closed_at is not None
    if record.closed_number is None and (
        has_outcome or any(getattr(record, name) for name in _CLOSING_COLUMNS)
    ):
        text = f"{_describe_record(record)} has an outcome that is not in the hash chain"
        yield Problem("altered", text, record.pk)


def _classify_mismatches(reader: ChainReader) -> Iterator[Problem]:
    """Report the mismatching entries: as reordered if they match in the place of another one, else as altered.

    An entry that follows a moved one, and matches what was there before, is not reported.
    """
    stored_hmacs = {entry.hmac for entry, _states in reader.mismatches}
    original_numbers: dict[int, int] = {}  # by an entry's number: the number it originally had
    original_states: dict[int, str] = {}  # by number: the state after the entry that originally had it
    for place, states in reader.mismatches:
        for entry, _states in reader.mismatches:
            for state in states:
                expected = hmacs.entry_hmac(reader.key, place.number, state, entry.content)
                if entry is not place and expected in stored_hmacs:
                    original_numbers[entry.number] = place.number
                    original_states[place.number] = hmacs.state_after(reader.key, place.number, expected)
    for entry, _states in reader.mismatches:
        previous = original_states.get(entry.number - 1)
        follows = previous and entry.hmac == hmacs.entry_hmac(
            reader.key, entry.number, previous, entry.content
        )
        if entry.number in original_numbers:
            text = (
                f"{_describe_record(entry.record)} is entry {entry.number}, but was entry "
                f"{original_numbers[entry.number]}"
            )
            yield Problem("reordered", text, entry.record.pk)
        elif not follows:
            yield _altered_problem(entry)


def _find_records_after_head(chain: AuditChain) -> Iterator[Problem]:
    """Report records numbered after the head: the head was set back, or the records were inserted."""
    records = AuditRecord.objects.filter(chain=chain)
    # In this order: an entry that is added in the meantime is read together with its head.
    highest = records.aggregate(opened=Max("opened_number"), closed=Max("closed_number"))
    chain.refresh_from_db(fields=["length"])
    if max(highest["opened"] or 0, highest["closed"] or 0) <= chain.length:
        return
    late_records = records.filter(Q(opened_number__gt=chain.length) | Q(closed_number__gt=chain.length))
    for record in late_records.order_by("opened_number").iterator(chunk_size=_BATCH_SIZE):
        text = f"{_describe_record(record)} is after the head, entry {chain.length}"
        yield Problem("head", text, record.pk)


def _altered_problem(entry: ChainEntry) -> Problem:
    half = "the action" if entry.is_opening else "the outcome"
    text = f"{_describe_record(entry.record)}: entry {entry.number} ({half}) does not match its HMAC"
    return Problem("altered", text, entry.record.pk)


def _removed_problem(missing: list[int]) -> Problem:
    text = (
        f"entry {missing[0]} is missing"
        if len(missing) == 1
        else f"entries {missing[0]} to {missing[-1]} are missing"
    )
    return Problem("removed", text)


def _describe_record(record: AuditRecord) -> str:
    actor = record.actor_label or "nobody"
    return f"record {record.pk} ({record.operation} by {actor}, {record.at:%Y-%m-%d %H:%M:%S} UTC)"
