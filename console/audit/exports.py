"""Records every file that leaves the console in the audit trail: its content, the filters and the number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from django.http import HttpRequest, HttpResponseBase

from console.audit.models import AuditRecord
from console.audit.records import Origin, close_record, open_record
from console.ui.csv import Download


class ExportMiddleware:
    """Records each `Download` of a team: opens the record before the first line is sent, closes it after the last one.

    The closed record states the number of rows. If the client stops early, the outcome is unknown and the record states the
    rows sent until then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        team = getattr(request, "team", None)
        if isinstance(response, Download) and team is not None and request.method != "HEAD":
            record = _open_export_record(request, response)
            lines = cast("Iterable[bytes]", response.streaming_content)
            response.streaming_content = _count_lines(lines, response, record)
        return response


def _open_export_record(request: Any, response: Download) -> AuditRecord:
    query = request.GET.copy()
    query.pop("format", None)
    connection = getattr(request, "connection", None)
    return open_record(
        operation=response.operation or f"{request.resolver_match.app_name}.export",
        actor=request.membership.user,
        team=request.team,
        origin=getattr(request, "origin", None)
        or Origin.from_request(request),  # the origin of an API request also has the token
        target=response.target or response.filename,
        parameters={"file": response.filename, "filters": query.urlencode(), **response.audit_parameters},
        connection=connection.slug if connection else "",
    )


def _count_lines(lines: Iterable[bytes], response: Download, record: AuditRecord) -> Iterator[bytes]:
    count = 0
    try:
        for line in lines:
            count += 1
            yield line
    except BaseException as error:  # includes GeneratorExit: the client closed the connection
        close_record(
            record,
            AuditRecord.Outcome.UNKNOWN,
            code=type(error).__name__,
            message=_describe_rows(count - response.header),
        )
        raise
    close_record(record, AuditRecord.Outcome.DONE, message=_describe_rows(count - response.header))


def _describe_rows(count: int) -> str:
    return f"{max(count, 0)} rows"
