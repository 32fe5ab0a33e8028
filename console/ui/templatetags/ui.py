"""Template tags. docs/ui.md lists them together with the includes of templates/ui/.

{% icon "name" size=18 label="" %}            Tabler outline icon, inline SVG
{% status value "device" %}                   status badge (kinds: console/ui/statuses.py)
{% time moment relative=True %}               time in the user's zone, UTC on hover
{% copy text label="" %}                      copy button;  {% code_copy text %} the text as code with a copy button
{% number n %} {% bytes n %} {% duration s %} grouped numbers, sizes, durations (also as filters)
{% bar done total label="" tone="" %}         progress bar
{% connection_url "jobs:detail" job.pk %}     URL in the current team and connection (`as url` works)
{% explorer_url "QueryDevice" ProductKey=key %}    URL of a call's form in the explorer, filled in
{% query_url page=2 q=None %}                  the current URL with changed parameters
{% page_url page 2 %}                          the URL of another page of a list, by number or token
{% cloud_error error retry=url %}             an error of the cloud with advice
{% rows table %}                              the rows of a table (ui/table.html)
{% sidebar waiting %} {% topbar %}             the frame;  {% fixed "ui/overlays.html" %} a template without values
{% field form.name %}                         one field with label, help, limits, errors
"""

from __future__ import annotations

from html import escape
from typing import Any

from django import template
from django.forms import BoundField
from django.http import HttpRequest
from django.template.context import RequestContext
from django.template.engine import Engine
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from console.ui import badges, frame, icons, links
from console.ui import format as fmt
from console.ui.forms import describe_field
from console.ui.paging import Page, TokenPage
from console.ui.tables import BoundTable
from iot_client.errors import CloudError, explain

register = template.Library()


@register.simple_tag
def icon(name: str, size: int = 18, label: str = "") -> SafeString:
    """Tabler's outline icon; hidden from screen readers without a label."""
    return icons.icon(name, size, label)


@register.simple_tag
def status(value: object, kind: str) -> SafeString:
    """A status badge."""
    return badges.badge(kind, value)


@register.simple_tag(name="time")
def time_tag(value: object, relative: bool = False, seconds: bool = False) -> SafeString:
    """A moment (datetime, ISO text, or milliseconds) in the user's time zone."""
    return fmt.time_element(value, relative, seconds)


@register.simple_tag
def copy(text: object, label: str = "") -> SafeString:
    """A button that copies `text`; empty without a text."""
    return badges.copy_button(str(text), label) if text not in (None, "") else SafeString("")


@register.simple_tag
def code_copy(text: object) -> SafeString:
    """A text as code with a copy button; a dash without a text."""
    if text in (None, ""):
        return format_html('<span class="fd-none">{}</span>', "–")
    return format_html(
        '<span class="fd-copied"><code>{}</code>{}</span>', text, badges.copy_button(str(text))
    )


@register.simple_tag(name="number")
def number_tag(value: float | None, decimals: int | None = None) -> str:
    """A grouped number."""
    return fmt.number(value, decimals)


@register.simple_tag(name="bytes")
def bytes_tag(value: float | None) -> str:
    """A size in the largest fitting unit."""
    return fmt.size(value)


@register.simple_tag(name="duration")
def duration_tag(seconds: float | None) -> str:
    """A duration, given in seconds."""
    return fmt.duration(seconds)


register.filter("number", fmt.number)
register.filter("bytes", fmt.size)
register.filter("duration", fmt.duration)


@register.simple_tag
def bar(done: float, total: float, label: str = "", tone: str = "") -> SafeString:
    """A progress bar; tone is "", good, warn or bad."""
    return badges.bar(done, total, label, tone)


@register.simple_tag(takes_context=True)
def connection_url(context: RequestContext, name: str, *args: Any, **kwargs: Any) -> str:
    """The URL of `name` in the request's team and connection."""
    return links.connection_url(context["request"], name, *args, **kwargs)


@register.simple_tag(takes_context=True)
def explorer_url(context: RequestContext, operation: str, **params: Any) -> str:
    """The URL of an operation's form in the explorer, filled with `params`."""
    return links.explorer_url(context["request"], operation, **params)


@register.simple_tag(takes_context=True)
def page_url(context: RequestContext, page: Page | TokenPage, position: Any) -> str:
    """The URL of another page of the list: its number for a Page; its token, or None for the first, for a TokenPage."""
    return page.url(context["request"], position)


@register.simple_tag(takes_context=True)
def query_url(context: RequestContext, **changes: Any) -> str:
    """The current URL with changed query parameters; None removes one. Any change except of `page` returns to page 1."""
    drop = () if {"page", "token"} & changes.keys() else ("page", "token")
    return links.query_url(context["request"], drop=drop, **changes)


@register.inclusion_tag("ui/cloud_error.html", takes_context=True)
def cloud_error(context: RequestContext, error: CloudError, retry: str = "") -> dict[str, Any]:
    """An error of the cloud: explanation, advice, code, request id, and a retry (by default for temporary errors of
    GET pages)."""
    request: HttpRequest | None = context.get("request")
    if not retry and error.retryable and request is not None and request.method in {"GET", "HEAD"}:
        retry = request.get_full_path()
    return {"error": error, "explanation": explain(error), "retry": retry}


@register.inclusion_tag("ui/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """A form field with label, help, limits and errors."""
    return {"field": bound}


@register.simple_tag
def field_parts(bound: BoundField) -> Any:
    """The FieldParts of a field, for ui/field.html."""
    return describe_field(bound)


@register.simple_tag(takes_context=True)
def sidebar(context: RequestContext, waiting: int) -> SafeString:
    """The navigation. `waiting`: the number of approvals that wait for the user."""
    return frame.render_sidebar(context["shell"], waiting)


@register.simple_tag(takes_context=True)
def topbar(context: RequestContext) -> SafeString:
    """The bar above the page."""
    return frame.render_topbar(context["shell"])


@register.simple_tag
def fixed(template_name: str) -> SafeString:
    """A template that depends on nothing but the language, rendered once."""
    return frame.render_fixed(template_name)


@register.simple_tag(takes_context=True)
def rows(context: RequestContext, table: BoundTable[Any]) -> SafeString:
    """The rows of a table. Rendered in Python, because a page of 50 rows has hundreds of cells."""
    engine, declared = Engine.get_default(), table.table
    partials = [
        engine.get_template(column.column.template) if column.column.template else None
        for column in table.shown_columns
    ]
    row_end = engine.get_template(declared.row_template) if declared.row_template else None
    select = gettext("Select %(name)s")
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
        if row_end is not None:
            with context.push(row=row):
                parts += ['<td class="fd-row-end">', row_end.render(context), "</td>"]
        parts.append("</tr>\n")
    return mark_safe("".join(parts))  # noqa: S308  # each part is escaped above or rendered by a template
