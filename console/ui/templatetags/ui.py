"""The tags of the design system. docs/ui.md lists them with the includes of templates/ui/.

{% icon "name" size=18 label="" %}            Tabler outline icon, inline SVG
{% status value "device" %}                   badge of a state (kinds: console/ui/statuses.py)
{% when moment relative=True %}               time in the person's zone, UTC on hover
{% copy text label="" %}                      copy button;  {% code_copy text %} the text in mono with its button
{% number n %} {% bytes n %} {% duration s %} grouped numbers, sizes, lengths of time (filters of the same names too)
{% bar done total label="" tone="" %}         progress bar
{% curl "devices:detail" key name %}          address in the present team and connection (`as url` works)
{% explore "QueryDevice" ProductKey=key %}    address of a call's form in the explorer, filled in
{% url_with page=2 q=None %}                  the present address with parameters changed
{% cloud_error error retry=url %}             an error of the cloud, in plain words
{% cells bound %}                             the cells of one row of a list (ui/table.html)
{% field form.name %}                         one field with label, help, limits, errors
"""

from __future__ import annotations

from typing import Any

from django import template
from django.forms import BoundField
from django.http import HttpRequest
from django.template.context import RequestContext
from django.template.engine import Engine
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from console.cloud.errors import CloudError, explain
from console.ui import badges, icons, links
from console.ui import format as fmt
from console.ui.forms import describe
from console.ui.tables import BoundRow

register = template.Library()


@register.simple_tag
def icon(name: str, size: int = 18, label: str = "") -> SafeString:
    """Tabler's outline icon; decoration unless it has a label."""
    return icons.icon(name, size, label)


@register.simple_tag
def status(value: object, kind: str) -> SafeString:
    """The badge of a state."""
    return badges.badge(kind, value)


@register.simple_tag
def when(value: object, relative: bool = False, seconds: bool = False) -> SafeString:
    """A moment (datetime, ISO text, or milliseconds) in the person's time zone."""
    return fmt.when(value, relative, seconds)


@register.simple_tag
def copy(text: object, label: str = "") -> SafeString:
    """A button that copies `text`; nothing when there is no text."""
    return badges.copy_button(str(text), label) if text not in (None, "") else SafeString("")


@register.simple_tag
def code_copy(text: object) -> SafeString:
    """An id in mono type with its copy button; a dash when there is none."""
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
    """A size in the unit that reads best."""
    return fmt.size(value)


@register.simple_tag(name="duration")
def duration_tag(seconds: float | None) -> str:
    """A length of time, given in seconds."""
    return fmt.duration(seconds)


register.filter("number", fmt.number)
register.filter("bytes", fmt.size)
register.filter("duration", fmt.duration)


@register.simple_tag
def bar(done: float, total: float, label: str = "", tone: str = "") -> SafeString:
    """A progress bar; tone is "", good, warn or bad."""
    return badges.bar(done, total, label, tone)


@register.simple_tag(takes_context=True)
def curl(context: RequestContext, name: str, *args: Any, **kwargs: Any) -> str:
    """The address of `name` in the request's team and connection."""
    return links.curl(context["request"], name, *args, **kwargs)


@register.simple_tag(takes_context=True)
def explore(context: RequestContext, operation: str, **params: Any) -> str:
    """The address of an operation's form in the explorer, filled with `params`."""
    return links.explore(context["request"], operation, **params)


@register.simple_tag(takes_context=True)
def url_with(context: RequestContext, **changes: Any) -> str:
    """The present address with query parameters changed; None removes one; a change of anything but `page` starts over."""
    drop = () if {"page", "token"} & changes.keys() else ("page", "token")
    return links.with_query(context["request"], drop=drop, **changes)


@register.inclusion_tag("ui/cloud_error.html", takes_context=True)
def cloud_error(context: RequestContext, error: CloudError, retry: str = "") -> dict[str, Any]:
    """An error of the cloud: what happened, what to do, the code, the request id, and a retry (by default for errors
    that may pass, of a page that only reads)."""
    request: HttpRequest | None = context.get("request")
    if not retry and error.retryable and request is not None and request.method in {"GET", "HEAD"}:
        retry = request.get_full_path()
    return {"error": error, "explanation": explain(error), "retry": retry}


@register.inclusion_tag("ui/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """One form field with everything around it."""
    return {"field": bound}


@register.simple_tag
def field_parts(bound: BoundField) -> Any:
    """What ui/field.html needs to know of a field."""
    return describe(bound)


@register.simple_tag(takes_context=True)
def cells(context: RequestContext, bound: BoundRow[Any]) -> SafeString:
    """The cells of one row of a list. Python, not a template, because a page of 50 rows has hundreds of them."""
    parts: list[str] = []
    for cell in bound.cells:
        plain = cell.column.column
        parts.append(cell.column.opening)
        if plain.template:
            partial = Engine.get_default().get_template(plain.template)
            with context.push(row=bound.row, value=cell.value):
                parts.append(partial.render(context))
        else:
            parts.append(conditional_escape(cell.html))
        parts.append("</td>")
    return mark_safe("".join(parts))  # noqa: S308  # each part is escaped above or comes out of a template
