"""`manage.py rotate_encryption_key`: brings every stored secret under the newest of FIELD_ENCRYPTION_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models, transaction

from console.access.encryption import Undecryptable, encrypted_fields, is_newest, rotate
from console.access.sign_in.factors import rotate_secrets


class Command(BaseCommand):
    help = (
        "Re-encrypt all secrets with the first of FIELD_ENCRYPTION_KEYS, in batches, while the console runs. Put the new "
        "key first, restart, run this, then drop the old key. Safe to repeat and to interrupt."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="rows in one transaction (500)")

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable = 0
        for model, name in encrypted_fields():
            done, lost = _rotate(model, name, max(1, options["batch"]))
            unreadable += lost
            self.stdout.write(f"{model._meta.label}.{name}: {done} re-encrypted, {lost} unreadable")
        done, lost = rotate_secrets(max(1, options["batch"]))
        unreadable += lost
        self.stdout.write(f"Second factors: {done} re-encrypted, {lost} unreadable")
        if unreadable:
            raise CommandError(
                f"{unreadable} secrets cannot be read with any of FIELD_ENCRYPTION_KEYS and were left as they are."
            )


def _rotate(model: type[models.Model], name: str, size: int) -> tuple[int, int]:
    """How many values of a field were re-encrypted, and how many could not be read. Sees the stored tokens, not the texts."""
    quote = connection.ops.quote_name
    table, key, column = (
        quote(n) for n in (model._meta.db_table, _column(model, "pk"), _column(model, name))
    )
    # Names of our own tables and columns, quoted; values travel as parameters.
    select = (
        f"SELECT {key}, {column} FROM {table} WHERE {key} > %s AND {column} <> '' ORDER BY {key} LIMIT %s"  # noqa: S608
    )
    # A value that somebody changed meanwhile is under the newest key already, and stays.
    update = f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s"  # noqa: S608
    done = lost = last = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(select, [last, size])
            rows = cursor.fetchall()
            for pk, token in rows:
                if is_newest(token):
                    continue
                try:
                    cursor.execute(update, [rotate(token), pk, token])
                    done += 1
                except Undecryptable:
                    lost += 1
        if len(rows) < size:
            return done, lost
        last = rows[-1][0]


def _column(model: type[models.Model], name: str) -> str:
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    return str(field.column)  # type: ignore[union-attr]  # only fields of the model's own table are asked for
