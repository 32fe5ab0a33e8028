"""Lists of things, declared once: the same columns make the page, the cards of a narrow screen, and the CSV export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Generic, TypeVar

from django.http import HttpRequest, QueryDict
from django.utils.functional import Promise, cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from console.ui import format as fmt
from console.ui.badges import badge, copy_button
from console.ui.csv import Download, csv_lines, first_now, until_broken
from console.ui.links import with_query
from console.ui.paging import Page, TokenPage

Row = TypeVar("Row")
Text = str | Promise


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column. What a cell holds is `value(row)`, by default the attribute or key named `key`.

    `kind` says how it reads: text, phrase (a few words that stay together), number, bytes, when, ago, code, status (then
    `status` names the kind of state).
    `template` renders the cell instead, with `row` and `value`. `link(request, row)` makes it a link.
    `primary` is what names the row: it stays in sight when the table scrolls and heads the card on a narrow screen.
    `sort`: the view can sort by it. `hidden`: not shown until chosen. `narrow=False`: left out of the card.
    `csv` gives the exported value; False leaves the column out of the export. `copy` adds a copy button.
    """

    key: str
    label: Text
    value: Callable[[Row], Any] | None = None
    kind: str = "text"
    status: str = ""
    template: str = ""
    link: Callable[[HttpRequest, Row], str] | None = None
    primary: bool = False
    sort: bool = False
    hidden: bool = False
    narrow: bool = True
    copy: bool = False
    csv: Callable[[Row], Any] | bool = True

    @property
    def align(self) -> str:
        """Numbers end where their column ends, all else begins where it begins."""
        return "end" if self.kind in {"number", "bytes"} else "start"

    def of(self, row: Row) -> Any:
        """The value of this column in `row`."""
        if self.value is not None:
            return self.value(row)
        return row.get(self.key) if isinstance(row, dict) else getattr(row, self.key, None)

    def exported(self, row: Row) -> object:
        """The value as `csv_lines` takes it: moments as ISO 8601 in UTC."""
        value = self.csv(row) if callable(self.csv) else self.of(row)
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return value


@dataclass(frozen=True)
class BulkAction:
    """What can be done to the rows that are ticked: posts them to `url(request)` and shows the answer in the dialog."""

    label: Text
    icon: str
    url: Callable[[HttpRequest], str]
    danger: bool = False
    allowed: Callable[[HttpRequest], bool] = lambda request: True


@dataclass(frozen=True)
class Selection:
    """The rows that a bulk action was asked for: those named, or all that match the list's filters."""

    keys: tuple[str, ...]
    all_matching: bool
    query: QueryDict

    @classmethod
    def of(cls, request: HttpRequest) -> Selection:
        """What the list's form posted: `selected` for each ticked row, `all_matching` and the list's `query`."""
        return cls(
            keys=tuple(dict.fromkeys(request.POST.getlist("selected"))),
            all_matching=request.POST.get("all_matching") == "1",
            query=QueryDict(request.POST.get("query", "")),
        )

    def __bool__(self) -> bool:
        return self.all_matching or bool(self.keys)


@dataclass(frozen=True)
class Empty:
    """What a list says when it holds nothing: a sentence, and what to do about it."""

    title: Text
    text: Text = ""
    icon: str = "inbox"
    url: str = ""
    action: Text = ""


@dataclass(frozen=True)
class Table(Generic[Row]):
    """A list declared once. `id` is unique on its page and names what is remembered of it.

    `key(row)` identifies a row for selection; without it, or without an allowed action, nothing can be ticked.
    `row_template` is included at the end of each row, for its menu or buttons.
    `scope` names parameters of the address that say which list this is, rather than filter it.
    """

    id: str
    caption: Text
    columns: Sequence[Column[Row]]
    key: Callable[[Row], str] | None = None
    actions: Sequence[BulkAction] = ()
    row_template: str = ""
    export: bool = False
    scope: Sequence[str] = ()

    def bind(
        self,
        request: HttpRequest,
        rows: Iterable[Row],
        *,
        page: Page | TokenPage | None = None,
        empty: Empty | None = None,
        default_sort: str = "",
    ) -> BoundTable[Row]:
        """The table with rows in it, for `ui/list.html` and `ui/table.html`."""
        return BoundTable(self, request, list(rows), page, empty, default_sort)

    def sort(self, request: HttpRequest, default: str = "") -> str:
        """`?sort=` ("name", "-name") when a column of that key can be sorted by, else `default`."""
        asked = request.GET.get("sort", "")
        return asked if any(c.sort and c.key == asked.removeprefix("-") for c in self.columns) else default

    def csv_lines(self, rows: Iterable[Row]) -> Iterator[str]:
        """The export, line by line, all columns, with a header."""
        columns = [column for column in self.columns if column.csv is not False]
        header = [str(column.label) for column in columns]
        return csv_lines(chain([header], ([column.exported(row) for column in columns] for row in rows)))

    def csv_response(self, rows: Iterable[Row], filename: str) -> Download:
        """The export as a download; rows are taken as they are written, so they may be many.

        An error before the first row is raised; one of the cloud after it ends the file with a line that says so.
        """
        return Download(until_broken(self.csv_lines(first_now(rows))), filename)


@dataclass
class Cell(Generic[Row]):
    """One column of one row, as it is shown."""

    column: BoundColumn[Row]
    row: Row
    request: HttpRequest

    @cached_property
    def value(self) -> Any:
        """What the column makes of the row."""
        return self.column.column.of(self.row)

    @property
    def html(self) -> str | SafeString:
        """The cell's content when no template makes it."""
        column, value = self.column.column, self.value
        content = shown(column.kind, column.status, value)
        if column.link is not None and value not in (None, ""):
            content = format_html('<a href="{}">{}</a>', column.link(self.request, self.row), content)
        elif column.primary and isinstance(content, str) and not isinstance(content, SafeString):
            content = format_html("<span>{}</span>", content)  # so that a very long name can be broken
        if column.copy and value not in (None, ""):
            content = format_html('<span class="fd-copied">{}{}</span>', content, copy_button(str(value)))
        return content


def shown(kind: str, status: str, value: Any) -> str | SafeString:
    """A value as a column of that kind shows it; a dash for nothing."""
    if kind == "status":
        return badge(status, value)
    if kind in {"when", "ago"}:
        return fmt.when(value, relative=kind == "ago")
    if value is None or value == "":
        return format_html('<span class="fd-none">{}</span>', "–")
    if kind == "number":
        return fmt.number(value)
    if kind == "bytes":
        return fmt.size(value)
    if kind == "code":
        return format_html("<code>{}</code>", value)
    return str(value)


@dataclass
class BoundColumn(Generic[Row]):
    """A column of a list on a page: shown or not, sorted or not."""

    column: Column[Row]
    shown: bool
    sorted: str  # "", "ascending", "descending"
    sort_url: str

    @cached_property
    def opening(self) -> SafeString:
        """The start tag of each of its cells: made once a page, not once a row."""
        plain = self.column
        classes = f"fd-{plain.align}{' fd-primary' if plain.primary else ''}{'' if plain.narrow else ' fd-wide-only'}"
        if plain.kind == "phrase":
            classes += " fd-phrase"
        return format_html(
            '<td role="cell" data-col="{}" data-label="{}" class="{}"{}>',
            plain.key,
            plain.label,
            classes,
            "" if self.shown else mark_safe(" hidden"),
        )


@dataclass
class BoundRow(Generic[Row]):
    """A row of a list on a page."""

    row: Row
    key: str
    cells: list[Cell[Row]]


@dataclass
class BoundTable(Generic[Row]):
    """A table with its rows and place in the list, for the templates."""

    table: Table[Row]
    request: HttpRequest
    data: list[Row]
    page: Page | TokenPage | None = None
    empty: Empty | None = None
    default_sort: str = ""
    actions: list[tuple[BulkAction, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.actions = [
            (action, action.url(self.request))
            for action in self.table.actions
            if action.allowed(self.request)
        ]

    @property
    def id(self) -> str:
        """The element's id; the region that htmx replaces is `<id>-results`."""
        return self.table.id

    @property
    def selectable(self) -> bool:
        """Whether rows can be ticked."""
        return bool(self.actions) and self.table.key is not None

    @cached_property
    def columns(self) -> list[BoundColumn[Row]]:
        """All columns in order, those not shown included (the page can bring them in)."""
        chosen = self.request.COOKIES.get(f"columns-{self.table.id}")
        names = set(chosen.split(".")) if chosen is not None else None
        sort = self.table.sort(self.request, self.default_sort)
        bound = []
        for column in self.table.columns:
            shown = column.primary or (column.key in names if names is not None else not column.hidden)
            order = {column.key: "ascending", f"-{column.key}": "descending"}.get(sort, "")
            turned = f"-{column.key}" if order == "ascending" else column.key
            url = with_query(self.request, drop=("page", "token"), sort=turned) if column.sort else ""
            bound.append(BoundColumn(column, shown, order, url))
        return bound

    @cached_property
    def rows(self) -> list[BoundRow[Row]]:
        """The rows with their cells."""
        key = self.table.key
        return [
            BoundRow(
                row, key(row) if key else "", [Cell(column, row, self.request) for column in self.columns]
            )
            for row in self.data
        ]

    @property
    def total(self) -> int | None:
        """How many rows match in all, when known."""
        return self.page.total if self.page is not None else len(self.data)

    @property
    def numbered(self) -> bool:
        """Whether the list is paged by number (else by token)."""
        return isinstance(self.page, Page)

    @property
    def filtered(self) -> bool:
        """Whether the address asks for less than all."""
        return any(
            key not in {"page", "size", "sort", "token", "format", *self.table.scope} and value
            for key, value in self.request.GET.items()
        )

    @property
    def query(self) -> str:
        """The list's filters as a query string: what "select all matching" means."""
        return (
            with_query(self.request, " ", drop=("page", "size", "token", "format")).strip().removeprefix("?")
        )

    @property
    def csv_url(self) -> str:
        """Where the export of all matching rows is."""
        return with_query(self.request, drop=("page", "size", "token"), format="csv")
