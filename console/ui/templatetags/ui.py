"""Template tags. docs/ui.md lists them together with the includes of templates/ui/.

{% icon "name" size=18 label="" %}            Tabler outline icon, from the sprite
{% status value "device" %}                   status badge (kinds: console/ui/statuses.py)
{% status_label value "device" %}             its label alone
{% time moment relative=True %}               time in the user's zone, UTC on hover
{% copy text label="" %}                      copy button;  {% code_copy text %} the text as code with a copy button
{% number n %} {% bytes n %} {% duration s %} grouped numbers, sizes, durations (also as filters)
{{ label|label_text:text }}                   "Owner: full access", with the language's colon
{{ parts|counts_text }}                       "Online: 488, Offline: 73": the parts of a bar
{% bar done total label="" tone="" %}         progress bar
{% connection_url "jobs:detail" job.pk %}     URL in the current team and connection (`as url` works)
{% explorer_url "QueryDevice" ProductKey=key %}    URL of a call's form in the explorer, filled in
{% query_url page=2 q=None %}                  the current URL with changed parameters
{% cloud_error error retry=url %}             an error of the cloud with advice
{% heads table %} {% rows table %}             the heads and the rows of a table (ui/table.html)
{% column_menu table %} {% paging table %}     the menu of its columns, and its paging
{% hx_results table.id %}                     attributes of an element whose links replace the rows of a list
{% sidebar %} {% topbar %}                     the frame;  {% fixed "ui/overlays.html" %} a template without values
{% field form.name %}                         one field with label, help, limits, errors
"""

from __future__ import annotations

from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.http import HttpRequest
from django.template.context import RequestContext
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.ui import badges, frame, icons, links, list_html
from console.ui import format as fmt
from console.ui.fields import describe_field
from console.ui.forms import SHOWN_IN_FULL
from console.ui.statuses import status as find_status
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


@register.simple_tag
def status_label(value: object, kind: str) -> str:
    """The label of a status, where a badge would be too large."""
    return str(find_status(kind, value).label)


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
register.filter("label_text", fmt.label_text)
register.filter("counts_text", fmt.counts_text)


@register.simple_tag
def bar(done: float, total: float, label: str = "", tone: str = "") -> SafeString:
    """A progress bar; tone is "", good, warn or bad."""
    return badges.bar(done, total, label, tone)


@register.simple_tag(takes_context=True)
def connection_url(context: RequestContext, name: str, *args: Any) -> str:
    """The URL of `name` in the request's team and connection."""
    return links.connection_url(context["request"], name, *args)


@register.simple_tag(takes_context=True)
def explorer_url(context: RequestContext, operation: str, **params: Any) -> str:
    """The URL of an operation's form in the explorer, filled with `params`."""
    return links.explorer_url(context["request"], operation, **params)


@register.simple_tag(takes_context=True)
def query_url(context: RequestContext, **changes: Any) -> str:
    """The current URL with changed query parameters; None removes one. Any change except of `page` returns to page 1."""
    drop = () if {"page", "token"} & changes.keys() else ("page", "token")
    return links.query_url(context["request"], drop=drop, **changes)


@register.inclusion_tag("ui/cloud_error.html", takes_context=True)
def cloud_error(context: RequestContext, error: CloudError, retry: str = "") -> dict[str, Any]:
    """An error of the cloud: explanation, advice, code, request id, a retry (by default for temporary errors of GET pages),
    and the connections if the reason is probably there."""
    request: HttpRequest | None = context.get("request")
    if not retry and error.retryable and request is not None and request.method in {"GET", "HEAD"}:
        retry = request.get_full_path()
    shell = context.get("shell")
    connections = shell.connection_list if shell is not None and error.concerns_connection else ""
    return {"error": error, "explanation": explain(error), "retry": retry, "connections": connections}


@register.inclusion_tag("ui/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """A form field with label, help, limits and errors."""
    return {"field": bound}


@register.simple_tag
def field_parts(bound: BoundField) -> Any:
    """The FieldParts of a field, for ui/field.html."""
    return describe_field(bound)


@register.simple_tag
def wrong_fields(form: BaseForm) -> list[BoundField]:
    """The fields with errors, for the summary above a form; none if there is only one, whose error is easy to find."""
    wrong = [bound for bound in form.visible_fields() if bound.errors]
    return wrong if len(wrong) > 1 else []


@register.simple_tag
def general_errors(form: BaseForm) -> list[str]:
    """The errors of the whole form and of hidden fields."""
    found = form.non_field_errors()
    shown = zip(found, found.as_data(), strict=True)
    of_form = [str(text) for text, error in shown if error.code != SHOWN_IN_FULL]
    return [*of_form, *(str(error) for bound in form.hidden_fields() for error in bound.errors)]


@register.simple_tag(takes_context=True)
def sidebar(context: RequestContext) -> SafeString:
    """The navigation."""
    return frame.render_sidebar(context["shell"])


@register.simple_tag(takes_context=True)
def topbar(context: RequestContext) -> SafeString:
    """The bar above the page."""
    return frame.render_topbar(context["shell"])


@register.simple_tag
def fixed(template_name: str) -> SafeString:
    """A template that depends on nothing but the language, rendered once."""
    return frame.render_fixed(template_name)


@register.simple_tag(takes_context=True)
def rows(context: RequestContext, table: BoundTable[Any], in_list: bool = False) -> SafeString:
    """The rows of a table."""
    return list_html.render_rows(context, table, bool(in_list))


@register.simple_tag
def heads(table: BoundTable[Any], in_list: bool = False) -> SafeString:
    """The heads of a table's columns. `in_list`: with the button of the menu of columns."""
    return list_html.render_heads(table, bool(in_list))


@register.simple_tag
def column_menu(table: BoundTable[Any]) -> SafeString:
    """The entries of the menu of a table's columns."""
    return list_html.render_column_menu(table)


@register.simple_tag
def paging(table: BoundTable[Any]) -> SafeString:
    """The paging of a list."""
    return list_html.render_paging(table)


@register.simple_tag
def hx_results(list_id: str) -> SafeString:
    """The attributes of an element whose links replace the rows of a list."""
    return list_html.results_attributes(list_id)
