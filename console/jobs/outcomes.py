"""The outcome of each item: explanations, and the CSV file of results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from console.jobs import kinds
from console.jobs.kinds import Kind
from console.jobs.models import Item, Job, Secret
from console.ui.csv import csv_lines
from console.ui.format import join_sentences

_BATCH = 2000


def explain(outcome: str, reason: str, data: Mapping[str, Any] | None, kind: Kind[Any]) -> str:
    """Return why an item has its outcome, in the reader's language; "" when there is nothing to explain."""
    meaning = kind.items.explain(outcome, data or {}) if kind.items else ""
    return join_sentences([meaning, gettext(reason) if reason else ""])


def result_lines(
    job: Job, secrets_heading: str = "", constants: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Yield the CSV lines of a job's results: number, key, label, outcome and reason.

    `constants` are further columns that have the same value in all rows, by their names. With a `secrets_heading`, a column with
    this name contains the stored secrets of the items.
    """
    constants = constants or {}
    kind = kinds.get(job.kind)
    items = kind.items
    names = [heading.name for heading in (items.number, items.key, items.label) if heading] if items else []

    def rows() -> Iterator[Sequence[object]]:
        yield [*names, "outcome", "reason", *constants, *([secrets_heading] if secrets_heading else [])]
        ordered = Item.objects.filter(job=job).order_by("number")
        for batch in read_batches(ordered, "number", "key", "label", "outcome", "reason", "data"):
            secrets = _read_secrets(job, [item[1] for item in batch]) if secrets_heading else {}
            for number, key, label, outcome, reason, data in batch:
                texts = [outcome, explain(outcome, reason, data, kind), *constants.values()]
                cells = [*[number, key, label][: len(names)], *texts]
                yield [*cells, secrets.get(key, "")] if secrets_heading else cells

    return csv_lines(rows())


def _read_secrets(job: Job, keys: list[str]) -> dict[str, str]:
    stored = Secret.objects.filter(job=job, key__in=keys, expires_at__gt=timezone.now())
    return {secret.key: secret.value for secret in stored.only("key", "value")}


def read_batches(items: QuerySet[Item], *fields: str) -> Iterable[list[Any]]:
    """Yield the values of the items in batches, so that memory does not grow with their number."""
    batch: list[Any] = []
    for values in items.values_list(*fields).iterator(chunk_size=_BATCH):
        batch.append(values)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
