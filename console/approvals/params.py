"""The parameters of the job that makes the calls of an approved request."""

from __future__ import annotations

from dataclasses import dataclass

from console.jobs.params import JobParams


@dataclass(frozen=True)
class ApprovalParams(JobParams):
    """The id of the request, its operation and target, and the product of its calls ("" for none or several)."""

    approval: int
    operation: str
    target: str
    product_key: str = ""
