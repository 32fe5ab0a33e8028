"""The parameters of jobs. Each kind of job declares a frozen dataclass; the database holds its fields as JSON."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from console.jobs.models import Job


class InvalidParams(Exception):
    """The stored parameters of a job are not those of its kind."""


@dataclass(frozen=True)
class JobParams:
    """The parameters of a kind of job. A subclass declares the fields; their values must be JSON values."""

    @classmethod
    def read(cls, job: Job) -> Self:
        """Return the parameters of a job. Raises InvalidParams for unknown and missing ones."""
        stored = job.params
        declared = {field.name: field for field in fields(cls)}
        unknown = sorted(stored.keys() - declared.keys())
        missing = sorted(
            name
            for name, field in declared.items()
            if name not in stored and field.default is MISSING and field.default_factory is MISSING
        )
        if unknown or missing:
            raise InvalidParams(
                f"Job {job.pk} ({job.kind}): unknown parameters {unknown}, missing parameters {missing}"
            )
        return cls(**stored)

    def as_json(self) -> dict[str, Any]:
        """Return the value of `Job.params`."""
        return asdict(self)
