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
from console.audit.phrases.messaging import TOPIC
from console.audit.phrases.words import Noun
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


def describe_operation(operation: str) -> str:
    """Return a sentence about an operation, without the object of a certain record: “Disabled a device”. An operation without words
    is shown with its code."""
    phrase = PHRASES.get(operation)
    return operation if phrase is None else _build_sentence(phrase, "", "", 0, is_done=True)


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
    names = _list_names(phrase, record.parameters)
    count = count or len(names) or _cut_length(record.parameters.get(phrase.items))
    if phrase.place:
        place, target = place or target, ""
    elif count > 1:
        target = ""
    name = (target or _single(names)) if phrase.names_objects else ""
    return _build_sentence(phrase, name, place, count, is_done=record.outcome == "done")


def _build_sentence(phrase: Phrase, name: str, place: str, count: int, *, is_done: bool) -> str:
    verb, place_words = phrase.verb, _describe_object(phrase.place, place, 0)
    if place and verb.in_place is not None:
        verb, place_words = verb.in_place, place
    words = {"object": _describe_object(phrase.object, name, count), "place": place_words}
    text = verb.done if is_done else verb.tried
    return " ".join((str(text) % words).split())


def parse_count(operation: str, target: str) -> int:
    """Return the number of devices that the target of a batch states; 0 if it states none."""
    phrase = PHRASES.get(operation)
    counted = _match_counted_target(phrase, target) if phrase else None
    return _read_number(counted["count"]) if counted else 0


def _match_counted_target(phrase: Phrase, target: str) -> re.Match[str] | None:
    """Match a target such as “SL200: 500 devices”, which only operations have whose verb can name a place."""
    return _COUNTED_TARGET.fullmatch(target) if phrase.verb.in_place else None


def _find_phrase(record: Described) -> tuple[Phrase | None, str]:
    """Return the words for a record and the target as they name it; None for an operation without words."""
    operation, target = record.operation, record.target
    if job := _JOB_TARGET.fullmatch(target):
        operation = "jobs.export.results" if operation == "jobs.export" else operation
        target = job[1]
    phrase = PHRASES.get(operation)
    if phrase and target.startswith("/") and phrase.object is not TOPIC:
        target = ""  # the address of a page that was refused
    return phrase, target


def _describe_object(noun: Noun | None, name: str, count: int) -> str:
    if noun is None:
        return ""
    if count > 1 or (count and not name):
        return str(noun.counted % {"number": count, "count": number(count)})
    if not name:
        return str(noun.unnamed)
    product, slash, own_name = name.partition("/")
    if noun.is_of_product and slash:
        name = f"{own_name} ({product})"
    return str(noun.named) % {"name": name}


def _read_number(text: str) -> int:
    return int(text.replace(",", "") or 0)


def _list_names(phrase: Phrase, parameters: Mapping[str, Any]) -> list[str]:
    """Return the objects in the list parameter of a record as targets name them; [] if the record has no complete list."""
    items = parameters.get(phrase.items)
    if not isinstance(items, list) or _cut_length(items):
        return []
    structs = [item if isinstance(item, dict) else {**parameters, "DeviceName": item} for item in items]
    return [
        "/".join(str(struct[name]) for name in ("ProductKey", "DeviceName") if struct.get(name))
        for struct in structs
    ]


def _single(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ""


def _cut_length(items: Any) -> int:
    """Return the length that a list had before it was cut for its record; 0 if it was not cut."""
    if isinstance(items, list) and items and isinstance(items[-1], str):
        cut = _LONGER_LIST.fullmatch(items[-1])
        return _read_number(cut[1]) if cut else 0
    return 0
