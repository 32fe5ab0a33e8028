"""The list of a person's own calls."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.explorer.models import ExplorerCall
from console.ui.links import curl
from console.ui.tables import Column, Table


def again(request: HttpRequest, call: ExplorerCall) -> str:
    """The address of the form, filled with a call's parameters."""
    return f"{curl(request, 'explorer:operation', call.operation)}?again={call.pk}"


CALLS: Table[ExplorerCall] = Table(
    id="calls",
    caption=_("Your calls"),
    columns=[
        Column("operation", _("Operation"), primary=True, kind="code", link=again),
        Column("at", _("Time"), kind="ago"),
        Column("outcome", _("Outcome"), kind="status", status="audit"),
        Column("parameters", _("Parameters"), template="explorer/_parameters.html"),
        Column("milliseconds", _("Milliseconds"), kind="number"),
        Column("code", _("Code"), kind="code", hidden=True),
        Column("request_id", _("Request ID"), kind="code", copy=True, hidden=True),
    ],
)
