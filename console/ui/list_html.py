"""The HTML of what a list repeats: rows, heads, the menu of columns, paging.

It is written in Python, because a list has hundreds of values, and Django's templates take as long for one value as Python for
a whole cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from django.http import HttpRequest
from django.template.context import RequestContext
from django.template.engine import Engine
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from console.ui.format import number
from console.ui.icons import icon
from console.ui.links import query_url
from console.ui.paging import SIZES, Page, TokenPage
from console.ui.tables import BoundTable

_SORT_ICONS = {"": "arrows-sort", "ascending": "arrow-up", "descending": "arrow-down"}


def results_attributes(list_id: str) -> SafeString:
    """The attributes of an element whose links replace the rows of a list."""
    return mark_safe(  # noqa: S308 - the id is declared in code
        f'hx-boost="true" hx-target="#{list_id}-results" hx-select="#{list_id}-results"'
        f' hx-swap="outerHTML show:none" hx-push-url="true" hx-sync="#{list_id}-list:replace"'
    )


def render_rows(context: RequestContext, table: BoundTable[Any], in_list: bool = False) -> SafeString:
    """The rows of a table, with the cells that have a template of their own. `in_list` as for `render_heads`."""
    engine, declared = Engine.get_default(), table.table
    partials = [
        engine.get_template(column.column.template) if column.column.template else None
        for column in table.shown_columns
    ]
    row_end = engine.get_template(declared.row_template) if declared.row_template else None
    select, menu_label = gettext("Select %(name)s"), gettext("Actions for %(name)s")
    has_row_end = bool(row_end or declared.menu or (in_list and table.has_column_menu))
    parts: list[str] = []
    for row in table.rows:
        parts.append("<tr>")
        if table.is_selectable and declared.key is not None:
            label = escape(select % {"name": table.name_of(row)})
            parts.append(
                '<td class="fd-tick"><input type="checkbox" class="form-check-input" name="selected"'
                f' value="{escape(declared.key(row))}" aria-label="{label}"></td>'
            )
        for column, partial in zip(table.shown_columns, partials, strict=True):
            value = column.column.value_of(row)
            parts.append(column.start_tag)
            if partial is None:
                parts.append(column.cell_html(table.request, row, value))
            else:
                with context.push(row=row, value=value):
                    parts.append(partial.render(context))
            parts.append("</td>")
        if has_row_end:
            parts.append('<td class="fd-row-end">')
            if row_end is not None:
                with context.push(row=row):
                    parts.append(row_end.render(context))
            if declared.menu is not None:
                label = escape(menu_label % {"name": table.name_of(row)})
                url = escape(declared.menu(table.request, row))
                parts.append(
                    f'<button type="button" class="fd-dots" popovertarget="{table.id}-menu" data-menu="{url}"'
                    f' aria-label="{label}"></button>'
                )
            parts.append("</td>")
        parts.append("</tr>\n")
    return _join(parts)


def render_heads(table: BoundTable[Any], in_list: bool = False) -> SafeString:
    """The heads of the columns, with links that sort. Those of the ticks and of the end of the rows have no text to see.

    `in_list`: the table is in a list that htmx can fetch again, so the last head has the button of the menu of columns.
    """
    parts: list[str] = []
    times = escape(gettext("Time zone: %(zone)s") % {"zone": timezone.get_current_timezone_name()})
    if table.is_selectable:
        label = escape(gettext("Select all on this page"))
        parts.append(
            f'<th class="fd-tick" scope="col" data-label="{label}"><input type="checkbox" class="form-check-input"'
            f' data-tick-page aria-label="{label}"></th>'
        )
    for column in table.shown_columns:
        plain = column.column
        order = f' aria-sort="{column.sorted}"' if column.sorted else ""
        if plain.kind in {"time", "exact_time"}:
            order += f' title="{times}"'
        label = escape(str(plain.label))
        if column.sort_url:
            arrow = icon(_SORT_ICONS[column.sorted], 14)
            label = f'<a class="fd-sort" href="{escape(column.sort_url)}">{label}{arrow}</a>'
        css = f' class="{column.css}"' if column.css else ""
        parts.append(f'<th scope="col" data-col="{escape(plain.key)}"{css}{order}>{label}</th>')
    has_column_menu = in_list and table.has_column_menu
    if table.table.row_template or table.table.menu or has_column_menu:
        label = escape(gettext("Actions") if table.table.row_template or table.table.menu else "")
        parts.append(f'<th scope="col" class="fd-row-end"><span class="visually-hidden">{label}</span>')
        if has_column_menu:
            name = escape(gettext("Choose columns"))
            parts.append(
                f'<button type="button" class="btn btn-icon btn-ghost" popovertarget="{table.id}-columns"'
                f' title="{name}" aria-label="{name}">{icon("columns-3", 16)}</button>'
            )
        parts.append("</th>")
    return _join(parts)


def render_column_menu(table: BoundTable[Any]) -> SafeString:
    """The entries of the menu of columns: a checkbox for each, which a script stores in this browser."""
    parts: list[str] = []
    for column in table.columns:
        state = (" checked" if column.shown else "") + (" disabled" if column.column.primary else "")
        parts.append(
            '<label class="fd-menu-item form-check"><input type="checkbox" class="form-check-input"'
            f' value="{escape(column.column.key)}"{state}><span>{escape(str(column.column.label))}</span></label>'
        )
    return _join(parts)


def render_paging(table: BoundTable[Any]) -> SafeString:
    """The paging of a list: numbered pages with a total, or "next" by token. Empty without rows or without pages."""
    page, request = table.page, table.request
    if page is None or not table.rows:
        return SafeString("")
    name = escape(gettext("Pages of %(list)s") % {"list": table.table.caption})
    steps = _numbered_steps(request, page) if isinstance(page, Page) else _token_steps(request, page)
    return _join(
        (
            f'<nav class="fd-pages" {results_attributes(table.id)} aria-label="{name}">',
            f'<span class="fd-pages-where">{escape(_describe_position(page))}</span>',
            *_sizes(request, page),
            *_describe_order(table),
            '<span class="fd-steps">',
            *steps,
            "</span></nav>",
        )
    )


def _describe_position(page: Page | TokenPage) -> str:
    """The rows on the page and their total, as far as it is known."""
    if isinstance(page, Page):
        return gettext("%(first)s–%(last)s of %(total)s") % {
            "first": number(page.first_row),
            "last": number(page.last_row),
            "total": number(page.total),
        }
    if page.total is not None:
        return gettext("%(shown)s of %(total)s") % {"shown": number(page.shown), "total": number(page.total)}
    return gettext("%(shown)s on this page") % {"shown": number(page.shown)}


def _sizes(request: HttpRequest, page: Page | TokenPage) -> Iterator[str]:
    """The numbers of rows a page, the current one without a link. Empty if all rows fit on the smallest page."""
    if (page.shown if page.total is None else page.total) <= SIZES[0] and not page.is_part:
        return
    label = gettext("%(size)s rows per page")
    yield '<span class="fd-sizes">'
    for size in SIZES:
        if size == page.size:
            yield f'<span class="fd-page fd-page-current" aria-current="true">{size}</span>'
        else:
            url = query_url(request, drop=("page", "token"), size=size)
            yield _link(url, str(size), f' aria-label="{escape(label % {"size": size})}"')
    text = escape(gettext("rows per page"))
    yield f"<span>{text}</span></span>"


def _describe_order(table: BoundTable[Any]) -> Iterator[str]:
    """A note that the list cannot be sorted, if it has several pages: a sort would be looked for there."""
    if table.table.platform_order and table.page is not None and table.page.is_part:
        text = escape(gettext("The platform sets the order"))
        yield f'<span class="fd-pages-order">{text}</span>'


def _numbered_steps(request: HttpRequest, page: Page) -> Iterator[str]:
    if page.previous:
        label = escape(gettext("Previous page"))
        attributes = f' rel="prev" aria-label="{label}"'
        yield _link(page.url(request, page.previous), icon("chevron-left", 16), attributes)
    if page.pages > 1:
        name = gettext("Page %(number)s")
        for step in page.numbers:
            shown = number(step)
            if step is None:
                yield '<span class="fd-page-gap">…</span>'
            elif step == page.number:
                yield f'<span class="fd-page fd-page-current" aria-current="page">{shown}</span>'
            else:
                label = f' aria-label="{escape(name % {"number": shown})}"'
                yield _link(page.url(request, step), shown, label)
    if page.next:
        label = escape(gettext("Next page"))
        attributes = f' rel="next" aria-label="{label}"'
        yield _link(page.url(request, page.next), icon("chevron-right", 16), attributes)


def _token_steps(request: HttpRequest, page: TokenPage) -> Iterator[str]:
    if page.token:
        content = icon("chevrons-left", 16) + escape(gettext("First"))
        yield _link(page.url(request, None), content, css="fd-page fd-page-text")
    if page.next:
        content = escape(gettext("Next")) + icon("chevron-right", 16)
        yield _link(page.url(request, page.next), content, ' rel="next"', css="fd-page fd-page-text")


def _link(url: str, content: str, attributes: str = "", css: str = "fd-page") -> str:
    return f'<a class="{css}" href="{escape(url)}"{attributes}>{content}</a>'


def _join(parts: Iterable[str]) -> SafeString:
    """HTML whose parts are escaped above or rendered by a template."""
    return mark_safe("".join(parts))  # noqa: S308
