"""Turns audit records into plain sentences, such as “Disabled device lamp-1”, and sorts operations by kind.

Records, exports and the HTTP API keep the codes of operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from console.audit.phrases import PHRASES, Phrase
from console.audit.words import NOUNS, VERBS
from console.ui.format import number
from iot_client.catalogue import Access, operations

_OWN_SECURITY = ("session.", "factor.", "password.", "token.use", "token.refused")
_COUNTED_TARGET = re.compile(r"(?P<place>.*): (?P<count>[\d,]+) devices", re.DOTALL)
_JOB_TARGET = re.compile(r"job (\d+)")
_LONGER_LIST = re.compile(
    r"… ([\d,]+) in total"
)  # the last entry of a list that was cut (console/audit/masking.py)


class RecordKind(TextChoices):
    """What an operation does, for the filter of the audit trail."""

    CHANGE = "change", _("Changes")
    EXPORT = "export", _("Exported files")
    REVEAL = "reveal", _("Revealed secrets")
    SIGN_IN = "sign_in", _("Sign-ins and security")


class Described(Protocol):
    """The fields of a record that a sentence is made of; `outcome` is a value of AuditRecord.Outcome."""

    operation: str
    target: str
    parameters: Mapping[str, Any]
    outcome: str


def kind_of(operation: str) -> RecordKind:
    """Return the kind of an operation."""
    if ".export" in operation:
        return RecordKind.EXPORT
    if operation.startswith(_OWN_SECURITY):
        return RecordKind.SIGN_IN
    definition = operations().get(operation)
    if definition is not None and definition.access == Access.READ:
        return RecordKind.REVEAL
    return RecordKind.CHANGE


def describe_record(record: Described, count: int = 0) -> str:
    """Return a sentence about a record, without a full stop: “Registered 899 devices in Street_Light_SL200”.

    `count` is the number of objects if it is known from elsewhere, as for all records of a job. An action that was not carried out, or
    may not have been, was “tried”. An operation without words is shown with its code and target.
    """
    phrase, target = _find_phrase(record)
    if phrase is None:
        return f"{record.operation} {record.target}".strip()
    place = ""
    if counted := _match_counted_target(phrase, target):
        place, target = counted["place"], ""
        count = count or _read_number(counted["count"])
    names = _listed_names(record.parameters.get(phrase.items))
    count = count or len(names) or _cut_length(record.parameters.get(phrase.items))
    if phrase.place:
        place, target = place or target, ""
    elif count > 1:
        target = ""
    words = {"object": _describe_object(phrase.object, target or _single(names), count)}
    verb = phrase.verb
    if f"{verb}_in" in VERBS and place:
        verb, words["place"] = f"{verb}_in", place
    elif phrase.place:
        words["place"] = _describe_object(phrase.place, place, 0)
    is_done = record.outcome == "done"
    if verb == "view" and is_done:
        verb = "view_secrets"  # reads are recorded if they reveal secrets
    text = VERBS[verb].done if is_done else VERBS[verb].tried
    return " ".join((str(text) % words).split())


def parse_count(operation: str, target: str) -> int:
    """Return the number of devices that the target of a batch states; 0 if it states none."""
    phrase = PHRASES.get(operation)
    counted = _match_counted_target(phrase, target) if phrase else None
    return _read_number(counted["count"]) if counted else 0


def _match_counted_target(phrase: Phrase, target: str) -> re.Match[str] | None:
    """Match a target such as “SL200: 500 devices”, which only operations have whose verb names a place."""
    return _COUNTED_TARGET.fullmatch(target) if f"{phrase.verb}_in" in VERBS else None


def _find_phrase(record: Described) -> tuple[Phrase | None, str]:
    """Return the words for a record and the target as they name it; None for an operation without words."""
    operation, target = record.operation, record.target
    if operation == "jobs.export" and (job := _JOB_TARGET.fullmatch(target)):
        file = str(record.parameters.get("file", ""))
        operation = "jobs.export.secrets" if file.endswith("secrets.csv") else "jobs.export.results"
        target = job[1]
    phrase = PHRASES.get(operation)
    if phrase and target.startswith("/") and phrase.object != "topic":
        target = ""  # the address of a page that was refused
    return phrase, target


def _describe_object(kind: str, name: str, count: int) -> str:
    if not kind:
        return ""
    noun = NOUNS[kind]
    if count > 1 or (count and not name):
        return str(noun.counted % {"number": count, "count": number(count)})
    return str(noun.named) % {"name": name} if name else str(noun.unnamed)


def _read_number(text: str) -> int:
    return int(text.replace(",", "") or 0)


def _listed_names(items: Any) -> list[str]:
    """Return the names in a list parameter of a record; [] if the record has no complete list."""
    if not isinstance(items, list) or _cut_length(items):
        return []
    return [str(item.get("DeviceName", "")) if isinstance(item, dict) else str(item) for item in items]


def _single(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ""


def _cut_length(items: Any) -> int:
    """Return the length that a list had before it was cut for its record; 0 if it was not cut."""
    if isinstance(items, list) and items and isinstance(items[-1], str):
        cut = _LONGER_LIST.fullmatch(items[-1])
        return _read_number(cut[1]) if cut else 0
    return 0
