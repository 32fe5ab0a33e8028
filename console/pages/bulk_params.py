"""The parameters of the job of a bulk action."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from console.jobs.params import JobParams
from console.pages.bulk import Bulk, BulkPages, find_bulk_pages

BULK_KIND = "bulk"


@dataclass(frozen=True)
class BulkParams(JobParams):
    """The action (`list_name` and `action` name it), the arguments of the list's URL, and where the objects come from: `keys`, or
    without them the `query` of the list; a retry takes those of the earlier job. The job has no `keys` once its items have them.
    `starts`: whether the job starts without a review."""

    list_name: str
    action: str
    operation: str
    ids: dict[str, str]
    query: str = ""
    keys: list[str] = field(default_factory=list)
    scope_key: str = ""
    is_retry: bool = False
    starts: bool = False

    def for_retry(self) -> BulkParams:
        """Return the parameters of a job for the objects that failed."""
        return BulkParams(
            self.list_name, self.action, self.operation, self.ids, scope_key=self.scope_key, is_retry=True
        )

    def find_action(self) -> tuple[BulkPages[Any], Bulk]:
        """Return the action. Raises LookupError if it no longer exists."""
        pages = find_bulk_pages(self.list_name)
        action = pages.find(self.action)
        if action is None:
            raise LookupError(f"{self.list_name} has no bulk action {self.action}")
        return pages, action
