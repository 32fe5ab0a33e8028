"""Tables that are declared once and used by the page, its cards on a phone, and the CSV export."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from itertools import chain
from typing import Any, Generic, TypeVar

from django.db.models import F
from django.db.models.expressions import Expression, OrderBy
from django.http import HttpRequest, QueryDict
from django.utils.functional import Promise, cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from console.ui import format as fmt
from console.ui.badges import badge, copy_button
from console.ui.csv import Download, csv_lines, read_first_rows, report_cloud_error
from console.ui.links import query_url
from console.ui.paging import Page, TokenPage
from console.ui.statuses import status as find_status

Row = TypeVar("Row")
ROWS = _("rows")
NOTHING = SafeString('<span class="fd-none">–</span>')
Text = str | Promise


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column. The value of a cell is `value(row)`, by default the attribute or key named `key`.

    `kind` sets the format: text, phrase (a few words without a line break), number, bytes, time, exact_time (with seconds),
    relative_time, code, operation (code that may wrap between its words), status (of the kind `status`). `template` renders the
    cell instead, with `row` and `value`. `link(request, row)` adds a link, or none if it is "". `primary` marks the column that names the row: it stays
    visible when the table scrolls and is the title of the card; a click anywhere on the row opens its link. `sort`: the list can
    be sorted by it; the database sorts by the field `key`, or by the field or expression given here. `hidden`: not shown by
    default. `narrow=False`: not part of the card, and left out if the table does not fit a tablet. `csv` returns the exported
    value; False excludes the column from the export. `copy` adds a copy button.
    """

    key: str
    label: Text
    value: Callable[[Row], Any] | None = None
    kind: str = "text"
    status: str = ""
    template: str = ""
    link: Callable[[HttpRequest, Row], str] | None = None
    primary: bool = False
    sort: bool | str | Expression = False
    hidden: bool = False
    narrow: bool = True
    copy: bool = False
    csv: Callable[[Row], Any] | bool = True

    @property
    def align(self) -> str:
        """The alignment: "end" for numbers, else "start"."""
        return "end" if self.kind in {"number", "bytes"} else "start"

    def value_of(self, row: Row) -> Any:
        """The value of this column for `row`."""
        if self.value is not None:
            return self.value(row)
        return row.get(self.key) if isinstance(row, dict) else getattr(row, self.key, None)

    def export_value(self, row: Row) -> object:
        """The value for `csv_lines`; moments as ISO 8601 in UTC."""
        value = self.csv(row) if callable(self.csv) else self.value_of(row)
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return value

    def order_value(self, row: Row) -> Any:
        """The value that `row` is sorted by in a list without pages: a status by its label, texts without case. None: last."""
        value = self.value_of(row)
        if value in (None, ""):
            return None
        if self.kind == "status":
            value = find_status(self.status, value).label
        return value if isinstance(value, datetime | int | float) else str(value).casefold()


@dataclass(frozen=True)
class BulkAction:
    """An action on the selected rows: posts them to `url(request)` and shows the response in the dialog."""

    label: Text
    icon: str
    url: Callable[[HttpRequest], str]
    danger: bool = False
    allowed: Callable[[HttpRequest], bool] = lambda request: True


@dataclass(frozen=True)
class Selection:
    """The rows of a bulk action: the selected keys, or all that match the list's filters."""

    keys: tuple[str, ...]
    all_matching: bool
    query: QueryDict

    @classmethod
    def from_request(cls, request: HttpRequest) -> Selection:
        """Reads the list's form: `selected` for each row, `all_matching`, and the list's `query`."""
        return cls(
            keys=tuple(dict.fromkeys(request.POST.getlist("selected"))),
            all_matching=request.POST.get("all_matching") == "1",
            query=QueryDict(request.POST.get("query", "")),
        )

    def __bool__(self) -> bool:
        return self.all_matching or bool(self.keys)


@dataclass(frozen=True)
class Empty:
    """The text of an empty list, with the next step: a link that opens as a dialog if `dialog`."""

    title: Text
    text: Text = ""
    icon: str = "inbox"
    url: str = ""
    action: Text = ""
    dialog: bool = False


@dataclass(frozen=True)
class Table(Generic[Row]):
    """A declared table. `id` is unique on its page and names the stored preferences.

    `key(row)` identifies a row for selection; without it, or without an allowed action, rows cannot be selected.
    `row_template` is included at the end of each row, for its menu or buttons.
    `menu(request, row)` is the URL of the menu of the row's actions, which is fetched when it is opened.
    `scope` lists URL parameters that identify the list rather than filter it. `export`: the view exports all matching rows as
    CSV (`?format=csv`); `lines`: as JSON lines too (`?format=jsonl`). `default_sort` is the order without `?sort=` ("-created_at"),
    if it is that of a column. `platform_order`: the platform sets the order, and a list of several pages says so. `unit` names several rows,
    for example "rules". `compact`: on a phone, a row has its name and status in one line and the other values below, without labels.
    """

    id: str
    caption: Text
    columns: Sequence[Column[Row]]
    key: Callable[[Row], str] | None = None
    actions: Sequence[BulkAction] = ()
    row_template: str = ""
    menu: Callable[[HttpRequest, Row], str] | None = None
    export: bool = False
    lines: bool = False
    scope: Sequence[str] = ()
    default_sort: str = ""
    platform_order: bool = False
    unit: Text = ROWS
    compact: bool = False

    def bind(
        self,
        request: HttpRequest,
        rows: Iterable[Row],
        *,
        page: Page | TokenPage | None = None,
        empty: Empty | None = None,
    ) -> BoundTable[Row]:
        """The table with its rows, for `ui/list.html` and `ui/table.html`.

        Without a page, `rows` are the whole list and are sorted here. Otherwise the view sorts the list (`order_by`).
        """
        shown = self.sort_rows(request, rows) if page is None else list(rows)
        return BoundTable(self, request, shown, page, empty)

    def sort(self, request: HttpRequest) -> str:
        """`?sort=` ("name", "-name") if the column is sortable, else ""."""
        sort = request.GET.get("sort", "")
        return sort if self._sort_column(sort) else ""

    def _sort_column(self, sort: str) -> Column[Row] | None:
        name = sort.removeprefix("-")
        return next((column for column in self.columns if column.sort and column.key == name), None)

    def order_by(self, request: HttpRequest, *default: str | Expression) -> list[str | Expression | OrderBy]:
        """The arguments of `QuerySet.order_by`: the column of `?sort=`, with empty values last, then `default`.

        `default` ends with a unique column, so that no row is on two pages.
        """
        sort = self.sort(request)
        column = self._sort_column(sort)
        if column is None:
            return list(default)
        sort_by = column.sort
        expression = (
            sort_by
            if isinstance(sort_by, Expression)
            else F(sort_by if isinstance(sort_by, str) else column.key)
        )
        ordered = expression.desc if sort.startswith("-") else expression.asc
        return [ordered(nulls_last=True), *default]

    def sort_rows(self, request: HttpRequest, rows: Iterable[Row]) -> list[Row]:
        """`rows`, which are the whole list, in the order of `?sort=`; rows without a value come last."""
        sort = self.sort(request)
        column = self._sort_column(sort)
        if column is None:
            return list(rows)
        valued = [(column.order_value(row), row) for row in rows]
        known = [pair for pair in valued if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=sort.startswith("-"))
        return [row for _value, row in known] + [row for value, row in valued if value is None]

    def csv_lines(self, rows: Iterable[Row]) -> Iterator[str]:
        """The lines of the export: a header, then all rows with all exported columns."""
        columns = [column for column in self.columns if column.csv is not False]
        header = [str(column.label) for column in columns]
        return csv_lines(chain([header], ([column.export_value(row) for column in columns] for row in rows)))

    def csv_response(self, rows: Iterable[Row], filename: str) -> Download:
        """The export as a download. Rows are read while the file is sent, so their number is not limited.

        An error before the first row is raised. A later CloudError ends the file with a line about it.
        """
        return Download(report_cloud_error(self.csv_lines(read_first_rows(rows))), filename)


def format_value(kind: str, status: str, value: Any) -> str | SafeString:
    """A value formatted by the column's kind; a dash for None and ""."""
    if kind == "status":
        return badge(status, value)
    if kind in {"time", "exact_time", "relative_time"}:
        return fmt.time_element(value, relative=kind == "relative_time", seconds=kind == "exact_time")
    if value is None or value == "":
        return NOTHING
    if kind == "number":
        return fmt.number(value)
    if kind == "bytes":
        return fmt.size(value)
    if kind == "code":
        return format_html("<code>{}</code>", value)
    if kind == "operation":
        return mark_safe(f"<code>{split_words(escape(str(value)))}</code>")  # noqa: S308
    return str(value)


def split_words(operation: str) -> str:
    """The name of an operation, as HTML that may wrap before each of its words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "<wbr>", operation)


@dataclass
class BoundColumn(Generic[Row]):
    """A column on a page, with its visibility and sort order."""

    column: Column[Row]
    shown: bool
    sorted: str  # "", "ascending", "descending"
    sort_url: str

    @cached_property
    def css(self) -> str:
        """The classes of its cells and its head."""
        plain = self.column
        classes = {
            "fd-end": plain.align == "end",
            "fd-primary": plain.primary,
            "fd-wide-only": not plain.narrow,
            "fd-phrase": plain.kind == "phrase",
            "fd-state": plain.kind == "status",
        }
        return " ".join(name for name, applies in classes.items() if applies)

    @cached_property
    def start_tag(self) -> SafeString:
        """The start tag of its cells."""
        return format_html('<td class="{}">', self.css) if self.css else SafeString("<td>")

    def cell_html(self, request: HttpRequest, row: Row, value: Any) -> SafeString:
        """The content of a cell, for columns without a template. `value`: the column's value for the row.

        It calls `html.escape` itself: a page has hundreds of cells, and `format_html` takes most of their time.
        """
        column = self.column
        content = format_value(column.kind, column.status, value)
        is_text = not isinstance(content, SafeString)
        html = escape(content) if is_text else content
        if column.link is not None and value not in (None, "") and (url := column.link(request, row)):
            html = f'<a href="{escape(url)}">{html}</a>'
        elif column.primary and is_text:
            html = f"<span>{html}</span>"  # so that a very long name can wrap
        if column.copy and value not in (None, ""):
            html = f'<span class="fd-copied">{html}{copy_button(str(value))}</span>'
        return mark_safe(html)  # noqa: S308 - escaped above


@dataclass
class BoundTable(Generic[Row]):
    """A table with its rows and paging, for the templates."""

    table: Table[Row]
    request: HttpRequest
    rows: list[Row]
    page: Page | TokenPage | None = None
    empty: Empty | None = None
    actions: list[tuple[BulkAction, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.actions = [
            (action, action.url(self.request))
            for action in self.table.actions
            if action.allowed(self.request)
        ]

    @property
    def id(self) -> str:
        """The element's id; htmx replaces the region `<id>-results`."""
        return self.table.id

    @property
    def is_selectable(self) -> bool:
        """Whether rows can be selected."""
        return bool(self.actions) and self.table.key is not None

    @cached_property
    def columns(self) -> list[BoundColumn[Row]]:
        """All columns in order, including hidden ones."""
        preference = self.request.COOKIES.get(f"columns-{self.table.id}")
        names = set(preference.split(".")) if preference is not None else None
        sort = self.table.sort(self.request) or self.table.default_sort
        bound = []
        for column in self.table.columns:
            shown = column.primary or (column.key in names if names is not None else not column.hidden)
            order = {column.key: "ascending", f"-{column.key}": "descending"}.get(sort, "")
            reversed_sort = f"-{column.key}" if order == "ascending" else column.key
            url = query_url(self.request, drop=("page", "token"), sort=reversed_sort) if column.sort else ""
            bound.append(BoundColumn(column, shown, order, url))
        return bound

    @property
    def has_column_menu(self) -> bool:
        """Whether the user can choose columns: not in a table that is narrow anyway."""
        return len(self.columns) > 4 or any(column.column.hidden for column in self.columns)

    @property
    def has_menu(self) -> bool:
        """Whether each row has a menu."""
        return self.table.menu is not None

    @property
    def is_sortable(self) -> bool:
        """Whether the head of a shown column is a link that sorts."""
        return any(column.sort_url for column in self.shown_columns)

    @cached_property
    def shown_columns(self) -> list[BoundColumn[Row]]:
        """The columns that the page contains. The column menu fetches the list again to show another one."""
        return [column for column in self.columns if column.shown]

    def name_of(self, row: Row) -> str:
        """The name of a row for screen readers: its primary column, else its key."""
        primary = next((column for column in self.table.columns if column.primary), None)
        if primary is not None:
            return str(primary.value_of(row))
        return self.table.key(row) if self.table.key is not None else ""

    @property
    def total(self) -> int | None:
        """The total number of matching rows, or None if it is unknown."""
        return self.page.total if self.page is not None else len(self.rows)

    @property
    def is_filtered(self) -> bool:
        """Whether a filter is active."""
        return any(
            key not in {"page", "size", "sort", "token", "format", *self.table.scope} and value
            for key, value in self.request.GET.items()
        )

    @property
    def query(self) -> str:
        """The list's filters as a query string, for "select all"."""
        return (
            query_url(self.request, " ", drop=("page", "size", "token", "format")).strip().removeprefix("?")
        )

    @property
    def csv_url(self) -> str:
        """The URL of the export of all matching rows as CSV; "" without export."""
        return self._export_url("csv") if self.table.export else ""

    @property
    def jsonl_url(self) -> str:
        """The URL of the export of all matching rows as JSON lines; "" without such an export."""
        return self._export_url("jsonl") if self.table.lines else ""

    def _export_url(self, file_format: str) -> str:
        return query_url(self.request, drop=("page", "size", "token"), format=file_format)

    @property
    def renews_exports(self) -> bool:
        """Whether htmx replaces the rows: the export buttons, which are outside of them, get the same filters."""
        return self.table.export and self.request.headers.get("HX-Target") == f"{self.id}-results"
