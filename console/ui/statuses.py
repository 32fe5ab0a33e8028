"""Label and appearance of each status of the platform and of jobs. No status is shown by color alone."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True)
class Status:
    """Label, tone (good, busy, wait, warn, bad, off) and icon of a status."""

    label: str | Promise
    tone: str
    icon: str


_PENDING = Status(_("Pending"), "wait", "clock")
_RUNNING = Status(_("In progress"), "busy", "loader-2")
_SUCCEEDED = Status(_("Succeeded"), "good", "circle-check")
_FAILED = Status(_("Failed"), "bad", "circle-x")
_CANCELED = Status(_("Canceled"), "off", "ban")

_ITEM = {
    "pending": _PENDING,
    "sending": _RUNNING,
    "succeeded": _SUCCEEDED,
    "done": Status(_("Done"), "good", "circle-check"),
    "unchanged": Status(_("Unchanged"), "warn", "copy"),
    "invalid": Status(_("Invalid"), "bad", "alert-circle"),
    "failed": _FAILED,
    "unknown": Status(_("Unknown"), "warn", "help-circle"),
    "canceled": Status(_("Not sent"), "off", "ban"),
    "skipped": Status(_("Skipped"), "off", "minus"),
}

STATUSES: dict[str, dict[str, Status]] = {
    # DeviceStatus of GetDeviceStatus; QueryDevice spells them the same.
    "device": {
        "ONLINE": Status(_("Online"), "good", "dot"),
        "OFFLINE": Status(_("Offline"), "off", "circle"),
        "UNACTIVE": Status(_("Not activated"), "wait", "circle-dashed"),
        "DISABLE": Status(_("Disabled"), "bad", "ban"),
    },
    "invitation": {
        "open": Status(pgettext_lazy("of an invitation", "Open"), "wait", "mail"),
        "expired": Status(_("Expired"), "off", "clock-x"),
        # The inviter left the team or may no longer grant the role.
        "void": Status(_("Invalid"), "warn", "mail-off"),
    },
    # ProductStatus of QueryProduct.
    "product": {
        "DEVELOPMENT_STATUS": Status(_("Developing"), "wait", "tool"),
        "RELEASE_STATUS": Status(_("Published"), "good", "circle-check"),
    },
    # Status of QueryOTAFirmware.
    "package": {
        "-1": Status(_("No verification needed"), "off", "minus"),
        "0": Status(_("Not verified"), "wait", "circle-dashed"),
        "1": Status(_("Verified"), "good", "circle-check"),
        "2": Status(_("Verifying"), "busy", "loader-2"),
        "3": Status(_("Verification failed"), "bad", "circle-x"),
    },
    # JobStatus of QueryOTAJob.
    "batch": {
        "PLANNED": Status(_("Planned"), "wait", "calendar-time"),
        "IN_PROGRESS": _RUNNING,
        "COMPLETED": Status(_("Completed"), "good", "circle-check"),
        "CANCELED": _CANCELED,
    },
    # TaskStatus of ListOTATaskByJob.
    "batch_task": {
        "CONFIRM": Status(_("Waiting for confirmation"), "warn", "hand-stop"),
        "QUEUED": Status(_("Waiting to be sent"), "wait", "clock"),
        "NOTIFIED": Status(_("Notified"), "busy", "bell"),
        "IN_PROGRESS": _RUNNING,
        "SUCCEEDED": _SUCCEEDED,
        "FAILED": _FAILED,
        "CANCELED": _CANCELED,
    },
    # Job.State of console.jobs.
    "job": {
        "checking": Status(_("Checking"), "busy", "loader-2"),
        "ready": Status(_("Ready to start"), "warn", "player-play"),
        "rejected": Status(_("Invalid file"), "bad", "file-x"),
        "queued": Status(_("Queued"), "wait", "clock"),
        "running": Status(_("Running"), "busy", "loader-2"),
        "canceling": Status(_("Canceling"), "warn", "loader-2"),
        "succeeded": _SUCCEEDED,
        "partial": Status(_("Partly failed"), "warn", "alert-triangle"),
        "failed": _FAILED,
        "canceled": _CANCELED,
    },
    # Item.Outcome of console.jobs, and the states of calls that are sent one by one.
    "item": _ITEM,
    # A device that a job registers.
    "registered_device": {
        **_ITEM,
        "succeeded": Status(pgettext_lazy("of a device", "Created"), "good", "circle-check"),
        "unchanged": Status(_("Already exists"), "warn", "copy"),
    },
    # ApprovalRequest.State of console.approvals.
    "approval": {
        "draft": Status(_("Draft"), "off", "pencil"),
        "waiting": Status(_("Waiting"), "wait", "clock"),
        "approved": Status(_("Approved, running"), "busy", "loader-2"),
        "refused": Status(_("Rejected"), "bad", "ban"),
        "expired": Status(_("Expired"), "off", "clock-pause"),
        "withdrawn": Status(_("Withdrawn"), "off", "minus"),
        "done": Status(_("Done"), "good", "circle-check"),
        "failed": _FAILED,
        "unknown": Status(_("Unknown"), "warn", "help-circle"),
    },
    # Outcome of an audit record.
    "audit": {
        "open": Status(_("No response yet"), "wait", "clock"),
        "done": Status(_("Done"), "good", "circle-check"),
        "failed": _FAILED,
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


def status(kind: str, value: object) -> Status:
    """The Status of `value`; an unknown value is its own label. Raises KeyError for an unknown `kind`."""
    known = STATUSES[kind]
    text = "" if value is None else str(value)
    return (
        known.get(text)
        or known.get(text.upper())
        or known.get(text.lower())
        or Status(text or "–", "off", "help-circle")
    )
