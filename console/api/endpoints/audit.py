"""The team's audit trail."""

from __future__ import annotations

from typing import Any, Literal

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import Query, Router, Schema
from pydantic import Field

from console.accounts.models import Team
from console.accounts.roles import Area, Level
from console.api.http import ApiRequest
from console.api.problems import validation_problem
from console.api.schemas import Page, PageQuery, Timestamp, TimestampInput
from console.audit import search
from console.audit.jsonl import build_jsonl_download
from console.audit.models import AuditRecord

router = Router(tags=[gettext_noop("Audit trail")])


class Record(Schema):
    """A write operation, a view of a secret, a sign-in or a change of access. Secrets are masked."""

    id: int
    at: Timestamp = Field(description="When the operation started.")
    closed_at: Timestamp | None = Field(description="When the outcome was recorded.")
    user: str
    token: str = Field(description="Name of the API token; empty if the user acted directly.")
    ip: str | None
    connection: str
    job: int | None
    operation: str
    target: str
    parameters: dict[str, Any]
    before: dict[str, Any] | None = Field(description="Values before an edit.")
    outcome: str = Field(description="open, done, failed, refused or unknown.")
    code: str
    message: str
    request_id: str

    @classmethod
    def from_record(cls, record: AuditRecord) -> Record:
        names = (
            *("at", "closed_at", "token", "ip", "connection", "job", "operation", "target"),
            *("parameters", "before", "outcome", "code", "message", "request_id"),
        )
        values = {name: getattr(record, name) for name in names}
        return cls(id=record.pk, user=record.actor_label, **values)


class AuditFilters(Schema):
    """Selects audit records."""

    user: str = Field("", max_length=255, description=gettext_noop("Part of the user's email address."))
    token: str = Field("", max_length=60, description=gettext_noop("Part of the token's name."))
    operation: str = Field("", max_length=64, description=gettext_noop("Start of the operation's name."))
    target: str = Field("", max_length=255, description=gettext_noop("Part of the target."))
    connection: str = Field("", max_length=80, description=gettext_noop("Short name of the connection."))
    outcome: Literal["", *AuditRecord.Outcome.values] = ""  # type: ignore[valid-type]
    since: TimestampInput | None = Field(None, description=gettext_noop("Only records from this time on."))
    until: TimestampInput | None = Field(None, description=gettext_noop("Only records before this time."))

    def to_search(self) -> search.RecordQuery:
        """Return the filters as a query of the audit trail."""
        return search.RecordQuery(
            actor=self.user,
            token=self.token,
            operation=self.operation,
            text=self.target,
            connection=self.connection,
            outcome=self.outcome,
            start=self.since,
            end=self.until,
        )


class AuditListQuery(PageQuery, AuditFilters):
    """Selects audit records and a page of the list."""


@router.get(
    "/audit",
    response=Page[Record],
    description=gettext_noop("List audit records, newest first. `total` is always null."),
)
def list_audit_records(request: ApiRequest, query: Query[AuditListQuery]) -> Page[Record]:
    records = search.search_records(_audited_team(request), query.to_search())
    try:
        page, next_token = search.read_page(records, query.page_token, query.limit)
    except BadRequest:
        raise validation_problem([("page_token", _("This is not a page token of this list."))]) from None
    return Page(items=[Record.from_record(record) for record in page], total=None, next_page_token=next_token)


@router.get(
    "/audit.jsonl",
    description=gettext_noop(
        "Export audit records as JSON lines, with the hashes to verify them later. The export itself is recorded."
    ),
    openapi_extra={
        "responses": {200: {"description": "One record per line.", "content": {"application/jsonl": {}}}}
    },
)
def export_audit_records(request: ApiRequest, filters: Query[AuditFilters]) -> HttpResponseBase:
    return build_jsonl_download(
        request.team, search.search_records(_audited_team(request), filters.to_search())
    )


def _audited_team(request: ApiRequest) -> Team:
    """Return the team of the token. Raises PermissionDenied if the token cannot view the audit trail."""
    if not request.membership.has_level(Area.AUDIT, Level.READ):
        raise PermissionDenied(_("The token cannot view the audit trail."))
    return request.team
