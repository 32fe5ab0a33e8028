"""The table of the call history."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.explorer.models import ExplorerCall
from console.ui.links import connection_url
from console.ui.tables import Column, Table


def repeat_url(request: HttpRequest, call: ExplorerCall) -> str:
    """Return the address of the form, filled in with the parameters of a call."""
    return f"{connection_url(request, 'explorer:operation', call.operation)}?repeat={call.pk}"


CALLS: Table[ExplorerCall] = Table(
    id="calls",
    caption=_("Call history"),
    columns=[
        Column("operation", _("Operation"), primary=True, kind="code", link=repeat_url),
        Column("at", _("Time"), kind="relative_time"),
        Column("outcome", _("Status"), kind="status", status="audit"),
        Column("parameters", _("Parameters"), template="explorer/_parameters.html"),
        Column("milliseconds", _("Duration (ms)"), kind="number"),
        Column("code", _("Code"), kind="code", hidden=True),
        Column("request_id", _("Request ID"), kind="code", copy=True, hidden=True),
    ],
)
