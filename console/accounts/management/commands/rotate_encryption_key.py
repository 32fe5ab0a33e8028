"""`manage.py rotate_encryption_key`: re-encrypt every stored secret with the newest of FIELD_ENCRYPTION_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models, transaction

from console.accounts.encryption import (
    Undecryptable,
    is_newest,
    list_encrypted_fields,
    list_secret_stores,
    rotate,
)


class Command(BaseCommand):
    help = (
        "Re-encrypt all secrets with the first of FIELD_ENCRYPTION_KEYS, in batches, while the console runs. Put the new key "
        "first, restart, run this command, then remove the old key. Safe to repeat and to interrupt."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="rows per transaction (default: 500)")

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable = 0
        for model, name in list_encrypted_fields():
            rotated, unreadable_values = _rotate_field(model, name, max(1, options["batch"]))
            unreadable += unreadable_values
            self.stdout.write(
                f"{model._meta.label}.{name}: {rotated} re-encrypted, {unreadable_values} unreadable"
            )
        for store in list_secret_stores():
            rotated, unreadable_values = store.rotate(max(1, options["batch"]))
            unreadable += unreadable_values
            self.stdout.write(f"{store.label}: {rotated} re-encrypted, {unreadable_values} unreadable")
        if unreadable:
            raise CommandError(
                f"{unreadable} secrets cannot be read with any of FIELD_ENCRYPTION_KEYS. They were not changed."
            )


def _rotate_field(model: type[models.Model], name: str, size: int) -> tuple[int, int]:
    """Re-encrypt the values of a field. Returns how many were re-encrypted, and how many could not be read.

    It reads the stored tokens, not the decrypted texts.
    """
    quote = connection.ops.quote_name
    table, key, column = (
        quote(n) for n in (model._meta.db_table, _column_name(model, "pk"), _column_name(model, name))
    )
    # Names of tables and columns of the console, quoted; values are passed as parameters.
    select = (
        f"SELECT {key}, {column} FROM {table} WHERE {key} > %s AND {column} <> '' ORDER BY {key} LIMIT %s"  # noqa: S608
    )
    # A value that was changed in the meantime already uses the newest key, and is kept.
    update = f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s"  # noqa: S608
    rotated = unreadable = last = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(select, [last, size])
            rows = cursor.fetchall()
            for pk, token in rows:
                if is_newest(token):
                    continue
                try:
                    cursor.execute(update, [rotate(token), pk, token])
                    rotated += 1
                except Undecryptable:
                    unreadable += 1
        if len(rows) < size:
            return rotated, unreadable
        last = rows[-1][0]


def _column_name(model: type[models.Model], name: str) -> str:
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    return str(field.column)  # type: ignore[union-attr]  # only called for fields of the model's own table
