"""Reads one row by unique values, with SQL that is built once.

Every request reads its session, its user, its membership and its connection. Django takes several times as long to build such a
query as the database takes to answer it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

Row = TypeVar("Row", bound=models.Model)


class Lookup(Generic[Row]):
    """Finds the row of a model that has certain values in `fields`, which are unique together.

    `related` is a foreign key that cannot be null. Its row is read in the same query, and `fields` can name its fields:
    "team__slug".
    """

    def __init__(self, model: type[Row], *fields: str, related: str = "") -> None:
        self._model = model
        self._fields = fields
        self._related = related

    def find(self, *values: Any) -> Row | None:
        """Return the row with these values in the fields, in their order; None if there is none."""
        database = connections[DEFAULT_DB_ALIAS]
        with database.cursor() as cursor:
            cursor.execute(self._sql, values)
            columns = cursor.fetchone()
        if columns is None:
            return None
        size = len(self._model._meta.concrete_fields)
        row = _build_row(database, self._model, columns[:size])
        if self._related:
            setattr(row, self._related, _build_row(database, self._related_model, columns[size:]))
        return row

    @property
    def _related_model(self) -> type[models.Model]:
        model: type[models.Model] = self._model._meta.get_field(self._related).related_model  # type: ignore[assignment]
        return model

    @cached_property
    def _sql(self) -> str:
        """The statement. It contains names of tables and columns, quoted; values are passed as parameters."""
        selected, source = _list_columns(self._model), _quote(self._model._meta.db_table)
        if self._related:
            other = self._related_model
            selected += _list_columns(other)
            key = _column(self._model, self._related)
            source += f" INNER JOIN {_quote(other._meta.db_table)} ON {key} = {_column(other, 'pk')}"
        conditions = []
        for name in self._fields:
            prefix, _separator, field = name.rpartition("__")
            conditions.append(f"{_column(self._related_model if prefix else self._model, field)} = %s")
        return f"SELECT {', '.join(selected)} FROM {source} WHERE {' AND '.join(conditions)}"  # noqa: S608


def _build_row(database: BaseDatabaseWrapper, model: type[Row], values: Sequence[Any]) -> Row:
    """The row with the values of its columns as the database driver returned them."""
    converted: list[Any] = []
    fields, table = model._meta.concrete_fields, model._meta.db_table
    for field, value in zip(fields, values, strict=True):
        column = field.get_col(table)
        for convert in (*database.ops.get_db_converters(column), *field.get_db_converters(database)):
            value = convert(value, column, database)
        converted.append(value)
    return model.from_db(database.alias, [field.attname for field in fields], converted)


def _list_columns(model: type[models.Model]) -> list[str]:
    return [_column(model, field.name) for field in model._meta.concrete_fields]


def _column(model: type[models.Model], name: str) -> str:
    field: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
    return f"{_quote(model._meta.db_table)}.{_quote(field.column)}"


def _quote(name: str) -> str:
    return str(connection.ops.quote_name(name))
