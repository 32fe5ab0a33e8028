"""The team's audit trail."""

from __future__ import annotations

from typing import Any, Literal

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from console.access.audit import search
from console.access.audit.jsonl import build_jsonl_download
from console.access.models import AuditRecord, Team
from console.access.roles import Area, Level
from console.api.http import ApiRequest
from console.api.problems import not_valid
from console.api.schemas import Given, Listing, Moment, Page

router = Router(tags=["Audit trail"])


class Record(Schema):
    """A write, a reveal of a secret, a sign-in or a change of access. Secrets are masked."""

    id: int
    at: Moment
    closed_at: Moment | None
    person: str
    token: str = Field(description="The API token that acted; empty for the person themselves.")
    ip: str | None
    connection: str
    job: int | None
    operation: str
    target: str
    parameters: dict[str, Any]
    before: dict[str, Any] | None = Field(description="What an edit found.")
    outcome: str = Field(description="open, done, failed, refused or unknown.")
    code: str
    message: str
    request_id: str

    @classmethod
    def of(cls, record: AuditRecord) -> Record:
        same = (
            *("at", "closed_at", "token", "ip", "connection", "job", "operation", "target"),
            *("parameters", "before", "outcome", "code", "message", "request_id"),
        )
        values = {name: getattr(record, name) for name in same}
        return cls(id=record.pk, person=record.actor_label, **values)


class Wanted(Schema):
    """Which records."""

    person: str = Field("", max_length=255, description="Part of the person's address.")
    token: str = Field("", max_length=60, description="Part of the token's name.")
    operation: str = Field("", max_length=64, description="The beginning of the operation's name.")
    target: str = Field("", max_length=255, description="Part of the target.")
    connection: str = Field("", max_length=80, description="The connection's short name.")
    outcome: Literal["", *AuditRecord.Outcome.values] = ""  # type: ignore[valid-type]
    since: Given | None = None
    until: Given | None = Field(None, description="Records before this moment.")

    def wanted(self) -> search.RecordQuery:
        """The same, as the search takes it."""
        return search.RecordQuery(
            person=self.person,
            token=self.token,
            operation=self.operation,
            text=self.target,
            connection=self.connection,
            outcome=self.outcome,
            start=self.since,
            end=self.until,
        )


class AuditListing(Listing, Wanted):
    """Which records, and which part of the list."""


@router.get("/audit", response=Page[Record])
def list_audit_records(request: ApiRequest, listing: Query[AuditListing]) -> Page[Record]:
    """List the trail, newest first. `total` is not counted."""
    records = search.search_records(_team(request), listing.wanted())
    try:
        shown, following = search.read_page(records, listing.page_token, listing.limit)
    except BadRequest:
        raise not_valid([("page_token", _("This is no token of a page of this list."))]) from None
    return Page(items=[Record.of(record) for record in shown], total=None, next_page_token=following)


@router.get(
    "/audit.jsonl",
    openapi_extra={
        "responses": {200: {"description": "One record a line.", "content": {"application/jsonl": {}}}}
    },
)
def export_audit_records(request: ApiRequest, wanted: Query[Wanted]) -> HttpResponseBase:
    """Export the trail as JSON lines, with the seals by which it can be checked later. The export is itself recorded."""
    return build_jsonl_download(request.team, search.search_records(_team(request), wanted.wanted()))


def _team(request: ApiRequest) -> Team:
    if not request.membership.has_level(Area.AUDIT, Level.READ):
        raise PermissionDenied(_("It may not read the audit trail."))
    return request.team
