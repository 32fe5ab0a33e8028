"""The list of an area's objects: table, filters, paging, export, bulk actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from django.http import HttpResponseBase, QueryDict
from django.shortcuts import render
from django.utils.functional import Promise

from console.connections.errors import http_status
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.ui.forms import FilterForm
from console.ui.links import connection_url, explorer_url
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Empty, Table
from iot_client.errors import CloudError

Row = TypeVar("Row")
Filters = TypeVar("Filters", bound=FilterForm)
Text = str | Promise


@dataclass(frozen=True)
class Position:
    """The part of a list to read: page number from 1, rows a page, and the sort column ("name", "-name", "" for none)."""

    page: int
    size: int
    sort: str = ""


@dataclass(frozen=True)
class Slice(Generic[Row]):
    """The rows of one page of a list, and the number of all matching rows. `note` says what the list does not cover."""

    rows: Sequence[Row]
    total: int
    note: str = ""


@dataclass(frozen=True)
class CreateLink:
    """The button that leads to the form for a new object. `dialog` opens it over the list."""

    name: str
    label: Text
    operation: str
    dialog: bool = False


@dataclass(frozen=True)
class ListPage(Generic[Row, Filters]):
    """The list of the objects of an area.

    `read(gateway, filters, position)` reads one page. `read_all(gateway, query)` yields all rows that match the query of the
    URL, page by page, for the export. `filters(request)` makes the filter form. `operation` is the call that a button opens
    in the explorer, with `parameters`. `empty` is shown when there are no rows; its button is `create`. `size` is the number
    of rows a page unless the user chose another. `lead` is a sentence below the title.
    """

    title: Text
    table: Table[Row]
    filters: Callable[[CloudRequest], Filters]
    read: Callable[[Gateway, Filters, Position], Slice[Row]]
    empty: Empty
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"CurrentPage": 1, "PageSize": 50})
    read_all: Callable[[Gateway, QueryDict], Iterable[Row]] | None = None
    create: CreateLink | None = None
    size: int = 25
    lead: Text = ""

    def show(self, request: CloudRequest) -> HttpResponseBase:
        """Show a page of the list; with `?format=csv`, download all matching rows. htmx gets only the rows."""
        filters = self.filters(request)
        if request.GET.get("format") == "csv" and self.read_all is not None:
            rows = () if filters.problem else self.read_all(request.gateway.in_background(), request.GET)
            return self.table.csv_response(rows, f"{self.table.id}.csv")
        position = Position(page_number(request), page_size(request, self.size), self.table.sort(request))
        part: Slice[Row] = Slice([], 0)
        error: CloudError | None = None
        try:
            if not filters.problem:
                part = self.read(request.gateway, filters, position)
        except CloudError as raised:
            error = raised
        create_url = self._create_url(request)
        context = {
            "title": self.title,
            "lead": self.lead,
            "table": self.table.bind(
                request,
                part.rows,
                page=Page(position.page, position.size, part.total),
                empty=self._build_empty(create_url),
            ),
            "filters": filters,
            "note": part.note,
            "error": error,
            "create": self.create,
            "create_url": create_url,
            "explore_url": explorer_url(request, self.operation, **self.parameters),
        }
        if request.htmx and not request.htmx.history_restore_request:
            return render(request, "ui/results.html", context)
        return render(request, "pages/list.html", context, status=http_status(error) if error else 200)

    def _create_url(self, request: CloudRequest) -> str:
        if self.create is None or not request.gateway.allows(self.create.operation):
            return ""
        return connection_url(request, self.create.name)

    def _build_empty(self, create_url: str) -> Empty:
        if self.create is None:
            return self.empty
        return replace(self.empty, url=create_url, action=self.create.label, dialog=self.create.dialog)
