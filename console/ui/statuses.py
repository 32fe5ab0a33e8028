"""Label and appearance of each status. An area declares those of its objects. No status is shown by color alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.ui.areas import all_areas


@dataclass(frozen=True)
class Status:
    """Label, tone (good, busy, wait, warn, bad, off) and icon of a status."""

    label: str | Promise
    tone: str
    icon: str


PENDING = Status(_("Pending"), "wait", "clock")
RUNNING = Status(_("In progress"), "busy", "loader-2")
SUCCEEDED = Status(_("Succeeded"), "good", "circle-check")
FAILED = Status(_("Failed"), "bad", "circle-x")
CANCELED = Status(_("Canceled"), "off", "ban")

ITEM: Mapping[str, Status] = {
    "pending": PENDING,
    "sending": RUNNING,
    "succeeded": SUCCEEDED,
    "done": Status(_("Done"), "good", "circle-check"),
    "partial": Status(_("Partly done"), "warn", "alert-triangle"),
    "unchanged": Status(_("Unchanged"), "warn", "copy"),
    "invalid": Status(_("Invalid"), "bad", "alert-circle"),
    "failed": FAILED,
    "unknown": Status(_("Unknown"), "warn", "help-circle"),
    "canceled": Status(_("Not sent"), "off", "ban"),
    "skipped": Status(_("Skipped"), "off", "minus"),
}
"""Item.Outcome of console.jobs, and the states of calls that are sent one by one."""

_CONSOLE_STATUSES: Mapping[str, Mapping[str, Status]] = {
    "invitation": {
        "open": Status(pgettext_lazy("of an invitation", "Open"), "wait", "mail"),
        "expired": Status(_("Expired"), "off", "clock-x"),
        # The inviter left the team or may no longer grant the role.
        "void": Status(_("Invalid"), "warn", "mail-off"),
    },
    # Connection.test_status of console.connections.
    "connection": {
        "accepted": Status(_("Keys accepted"), "good", "circle-check"),
        "refused": Status(_("Test failed"), "bad", "circle-x"),
        "untested": Status(_("Not tested"), "wait", "circle-dashed"),
    },
    # Job.State of console.jobs.
    "job": {
        "checking": Status(_("Checking"), "busy", "loader-2"),
        "ready": Status(_("Ready to start"), "warn", "player-play"),
        "waiting": Status(_("Waiting for approval"), "wait", "user-check"),
        "rejected": Status(_("Cannot be started"), "bad", "file-x"),
        "queued": Status(_("Queued"), "wait", "clock"),
        "running": Status(_("Running"), "busy", "loader-2"),
        "canceling": Status(_("Canceling"), "warn", "loader-2"),
        "succeeded": SUCCEEDED,
        "partial": Status(_("Partly failed"), "warn", "alert-triangle"),
        "failed": FAILED,
        "canceled": CANCELED,
    },
    "item": ITEM,
    # ApprovalRequest.State of console.approvals.
    "approval": {
        "draft": Status(_("Draft"), "off", "pencil"),
        "waiting": Status(_("Waiting"), "wait", "clock"),
        "approved": Status(_("Approved, running"), "busy", "loader-2"),
        "refused": Status(_("Rejected"), "bad", "ban"),
        "expired": Status(_("Expired"), "off", "clock-pause"),
        "withdrawn": Status(_("Withdrawn"), "off", "minus"),
        "done": Status(_("Done"), "good", "circle-check"),
        "failed": FAILED,
        "unknown": Status(_("Unknown"), "warn", "help-circle"),
    },
    # Outcome of an audit record.
    "audit": {
        "open": Status(_("No response yet"), "wait", "clock"),
        "partial": Status(_("Partly done"), "warn", "alert-triangle"),  # of the records of a job
        "done": Status(_("Done"), "good", "circle-check"),
        "failed": FAILED,
        "refused": Status(_("Denied"), "warn", "lock"),
        "unknown": Status(_("Unknown"), "warn", "help-circle"),
    },
    # An API token.
    "token": {
        "working": Status(_("Active"), "good", "circle-check"),
        "expired": Status(_("Expired"), "off", "clock-x"),
        "revoked": Status(_("Revoked"), "off", "ban"),
    },
    # Access of an operation, from the catalogue.
    "access": {
        "read": Status(_("Read"), "off", "eye"),
        "write": Status(_("Write"), "busy", "pencil"),
        "delete": Status(_("Delete"), "bad", "trash"),
        "secret": Status(_("Secret"), "warn", "key"),
    },
    # Boolean settings.
    "switch": {
        "on": Status(_("On"), "good", "check"),
        "off": Status(_("Off"), "off", "minus"),
    },
}


@cache
def all_statuses() -> Mapping[str, Mapping[str, Status]]:
    """Return the statuses of all areas and of the console itself: kind → value → Status."""
    statuses = {kind: values for area in all_areas() for kind, values in area.statuses.items()}
    return {**statuses, **_CONSOLE_STATUSES}


def status(kind: str, value: object) -> Status:
    """The Status of `value`; an unknown value is its own label. Raises KeyError for an unknown `kind`."""
    known = all_statuses()[kind]
    text = "" if value is None else str(value)
    return (
        known.get(text)
        or known.get(text.upper())
        or known.get(text.lower())
        or Status(text or "–", "off", "help-circle")
    )
