"""What is stored about a user with the approval requests."""

from __future__ import annotations

from django.db.models import Q

from console.accounts.personal_data import PersonalData
from console.approvals.models import ApprovalRequest

PARTS = (
    PersonalData(
        "approval_requests",
        lambda user: ApprovalRequest.objects.filter(Q(requested_by=user) | Q(decided_by=user)).order_by("pk"),
        (
            "team__name",
            "operation",
            "target",
            "state",
            "requester_label",
            "reason",
            "asked_at",
            "decider_label",
            "decision",
            "decided_at",
        ),
    ),
)
