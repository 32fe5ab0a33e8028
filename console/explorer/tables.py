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
        Column("operation", _("Operation"), primary=True, kind="operation", link=repeat_url, sort=True),
        Column("at", _("Time"), kind="time", sort=True),
        Column("outcome", _("Status"), kind="status", status="audit", sort=True),
        Column("parameters", _("Parameters"), template="explorer/_parameters.html"),
        Column("milliseconds", _("Duration (ms)"), kind="number", sort=True),
        Column("code", _("Code"), kind="code", hidden=True, sort=True),
        Column("request_id", _("Request ID"), kind="code", copy=True, hidden=True),
    ],
    default_sort="-at",
)
