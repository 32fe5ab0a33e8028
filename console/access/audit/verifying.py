"""Reading a chain again from its beginning, and saying what does not fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Max, Min, Q

from console.access.audit import seals
from console.access.encryption import Undecryptable
from console.access.models import AuditChain, AuditRecord

_WINDOW = 500
_COMPARED = 200  # broken links that are held against each other to tell moved records from altered ones
_OWN_CLOSING = ("code", "message", "request_id", "closed_seal")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a chain: a kind, a sentence, and the record where there is one.

    Kinds: removed, altered, inserted, reordered, truncated, head, key.
    """

    kind: str
    text: str
    record: int | None = None


@dataclass(frozen=True)
class Link:
    """One half of a record, as it stands in the database. `content` is what its seal should cover."""

    number: int
    seal: str
    content: str
    record: AuditRecord
    opens: bool


@dataclass
class Reading:
    """A chain being read: where, the states that may hold there, and what was found.

    There are two states after a link whose seal does not fit: by the seal that stands there, and by the one that should.
    """

    chain: AuditChain
    key: str
    number: int
    states: list[str]
    gap: bool = False
    misfits: list[tuple[Link, list[str]]] = field(default_factory=list)

    def take(self, link: Link) -> bool:
        """Go on to `link`, the next; whether its seal fits. After a gap anything fits: what it followed is gone."""
        expected = [seals.seal(self.key, link.number, state, link.content) for state in self.states]
        fits = self.gap or link.seal in expected
        if not fits and len(self.misfits) < _COMPARED:
            self.misfits.append((link, self.states))
        self.number, self.gap = link.number, False
        candidates = [link.seal] if fits else [link.seal, *expected]
        self.states = [seals.state_after(self.key, link.number, seal) for seal in candidates]
        return fits


def unsealed(records: Iterable[AuditRecord]) -> Iterator[Problem]:
    """Records that no chain holds: everything the console writes is sealed."""
    for record in records:
        yield Problem("inserted", f"{_named(record)} carries no seal", record.pk)


def verify(chain: AuditChain, since: datetime | None = None) -> Iterator[Problem]:
    """What is wrong with a chain, found while it is read in parts of 500 links; records may be added meanwhile.

    `since`: only from the first record of that time on; what is before it is taken as it is.
    """
    try:
        key = seals.genuine(chain.key)
    except Undecryptable as error:
        yield Problem("key", str(error))
        return
    length, head = chain.length, chain.state
    reading = _start(chain, key, since)
    yield from _read(reading, length)
    yield from _judged(reading)
    if not reading.gap and head not in reading.states:
        yield Problem("head", f"the head does not follow from link {length}")
    yield from _beyond_the_head(chain)
    lost = AuditRecord.objects.filter(chain=chain, opened_number=None)
    yield from unsealed(lost.iterator(chunk_size=_WINDOW))


def _start(chain: AuditChain, key: str, since: datetime | None) -> Reading:
    if since is not None:
        records = AuditRecord.objects.filter(chain=chain)
        first = records.filter(at__gte=since).aggregate(first=Min("opened_number"))["first"]
        number = chain.length if first is None else first - 1
        before = next(iter(links_between(chain, number, number).get(number, [])), None)
        if number > chain.base_length and before is not None:
            return Reading(chain, key, number, [seals.state_after(key, number, before.seal)])
    return Reading(chain, key, chain.base_length, [chain.base_state])


def _read(reading: Reading, length: int) -> Iterator[Problem]:
    chain = reading.chain
    while reading.number < length:
        last = min(reading.number + _WINDOW, length)
        found = links_between(chain, reading.number + 1, last)
        # What is gone may have been too old: then the chain begins later by now.
        chain.refresh_from_db(fields=["base_length", "base_state"])
        if chain.base_length > reading.number:
            reading.number, reading.states, reading.gap = chain.base_length, [chain.base_state], False
            continue
        missing: list[int] = []
        for number in range(reading.number + 1, last + 1):
            links = found.get(number, [])
            if not links:
                missing.append(number)
                reading.number, reading.gap = number, True
                continue
            if missing:
                yield _removed(missing)
                missing = []
            for other in links[1:]:
                yield Problem("inserted", f"{_named(other.record)} claims link {number} too", other.record.pk)
            yield from _astray(chain, links[0])
            if not reading.take(links[0]) and len(reading.misfits) >= _COMPARED:
                yield _altered(links[0])
        if missing:
            yield (
                Problem("truncated", f"links {missing[0]} to {last} at the end are gone")
                if last == length
                else _removed(missing)
            )


def links_between(chain: AuditChain, first: int, last: int) -> dict[int, list[Link]]:
    """The links of these numbers, by number; more than one only where somebody made it so."""
    found: dict[int, list[Link]] = defaultdict(list)
    records = AuditRecord.objects.filter(chain=chain).select_related(None)
    for record in records.filter(opened_number__range=(first, last)).order_by("opened_number"):
        number = record.opened_number or 0
        link = Link(number, record.opened_seal, seals.opening(vars(record)), record, opens=True)
        found[number].append(link)
    for record in records.filter(closed_number__range=(first, last)).order_by("closed_number"):
        number = record.closed_number or 0
        link = Link(number, record.closed_seal, seals.closing(vars(record)), record, opens=False)
        found[number].append(link)
    return found


def _astray(chain: AuditChain, link: Link) -> Iterator[Problem]:
    """What no seal covers and must hold all the same: the record's team, and that an open one says nothing of its end."""
    record = link.record
    if not link.opens:
        return
    if record.team_id != chain.team_id:
        yield Problem("altered", f"{_named(record)} was moved out of its team", record.pk)
    ended = record.outcome != AuditRecord.Outcome.OPEN or record.closed_at is not None
    if record.closed_number is None and (ended or any(getattr(record, name) for name in _OWN_CLOSING)):
        yield Problem("altered", f"{_named(record)} has an outcome that no link holds", record.pk)


def _judged(reading: Reading) -> Iterator[Problem]:
    """The links that did not fit: moved where they fit in another's place, else altered.

    One that follows a moved one, and fits what stood there before, is neither.
    """
    standing = {link.seal for link, _states in reading.misfits}
    places: dict[int, int] = {}  # number of a link: the number it belongs to
    truth: dict[int, str] = {}  # number: the state after the link that belongs there
    for place, states in reading.misfits:
        for link, _states in reading.misfits:
            for state in states:
                seal = seals.seal(reading.key, place.number, state, link.content)
                if link is not place and seal in standing:
                    places[link.number] = place.number
                    truth[place.number] = seals.state_after(reading.key, place.number, seal)
    for link, _states in reading.misfits:
        before = truth.get(link.number - 1)
        follows = before and link.seal == seals.seal(reading.key, link.number, before, link.content)
        if link.number in places:
            text = f"{_named(link.record)} stands as link {link.number} and belongs to {places[link.number]}"
            yield Problem("reordered", text, link.record.pk)
        elif not follows:
            yield _altered(link)


def _beyond_the_head(chain: AuditChain) -> Iterator[Problem]:
    """Records numbered past the end: the head was set back, or they were put in."""
    records = AuditRecord.objects.filter(chain=chain)
    # In this order: a link that is added meanwhile is seen with its head.
    most = records.aggregate(opened=Max("opened_number"), closed=Max("closed_number"))
    chain.refresh_from_db(fields=["length"])
    if max(most["opened"] or 0, most["closed"] or 0) <= chain.length:
        return
    past = records.filter(Q(opened_number__gt=chain.length) | Q(closed_number__gt=chain.length))
    for record in past.order_by("opened_number").iterator(chunk_size=_WINDOW):
        yield Problem("head", f"{_named(record)} stands past the head, link {chain.length}", record.pk)


def _altered(link: Link) -> Problem:
    half = "what was done" if link.opens else "how it ended"
    text = f"{_named(link.record)}: link {link.number}, {half}, does not fit its seal"
    return Problem("altered", text, link.record.pk)


def _removed(missing: list[int]) -> Problem:
    text = (
        f"link {missing[0]} is gone" if len(missing) == 1 else f"links {missing[0]} to {missing[-1]} are gone"
    )
    return Problem("removed", text)


def _named(record: AuditRecord) -> str:
    return f"record {record.pk} ({record.operation} by {record.actor_label or 'nobody'}, {record.at:%Y-%m-%d %H:%M:%S} UTC)"
