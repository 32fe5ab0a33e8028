"""Every file that leaves the console is in the trail: what it holds, by which filters, and how many rows were taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from django.http import HttpRequest, HttpResponseBase

from console.access.audit.records import Origin, close_record, open_record
from console.access.models import AuditRecord
from console.ui.csv import Download


class ExportMiddleware:
    """Records each `Download` of a team: opened before its first line is sent, closed after its last with their number.

    A file that was not taken to its end is closed as not known, with the rows that had gone out by then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        team = getattr(request, "team", None)
        if isinstance(response, Download) and team is not None and request.method != "HEAD":
            record = _opened(request, response)
            lines = cast("Iterable[bytes]", response.streaming_content)
            response.streaming_content = _taken(lines, response, record)
        return response


def _opened(request: Any, response: Download) -> AuditRecord:
    query = request.GET.copy()
    query.pop("format", None)
    connection = getattr(request, "connection", None)
    return open_record(
        operation=response.act or f"{request.resolver_match.app_name}.export",
        actor=request.membership.user,
        team=request.team,
        origin=getattr(request, "origin", None) or Origin.of(request),  # the API knows the token too
        target=response.about or response.filename,
        parameters={"file": response.filename, "filters": query.urlencode(), **response.noted},
        connection=connection.slug if connection else "",
    )


def _taken(lines: Iterable[bytes], response: Download, record: AuditRecord) -> Iterator[bytes]:
    count = 0
    try:
        for line in lines:
            count += 1
            yield line
    except BaseException as error:  # also GeneratorExit: who asked has gone away
        close_record(
            record,
            AuditRecord.Outcome.UNKNOWN,
            code=type(error).__name__,
            message=_rows(count - response.header),
        )
        raise
    close_record(record, AuditRecord.Outcome.DONE, message=_rows(count - response.header))


def _rows(count: int) -> str:
    return f"{max(count, 0)} rows"
