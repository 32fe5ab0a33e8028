"""The parameters of a job are those that its kind declares."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from console.jobs import engine, kinds
from console.jobs.models import Job
from console.jobs.params import InvalidParams, JobParams
from tests.registrations import create_registration


@dataclass(frozen=True)
class Params(JobParams):
    needed: str
    optional: int = 3


def test_parameters_are_read_as_they_were_written():
    params = Params("x", 5)
    assert Params.read(Job(params=params.as_json())) == params
    assert Params.read(Job(params={"needed": "x"})) == Params("x", 3)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"needed": "x", "older": 1}, r"unknown parameters \['older'\]"),
        ({"optional": 1}, r"missing parameters \['needed'\]"),
    ],
)
def test_unknown_and_missing_parameters_are_refused_by_name(stored, message):
    with pytest.raises(InvalidParams, match=message):
        Params.read(Job(pk=7, kind="some.kind", params=stored))


def test_every_kind_declares_its_parameters():
    for kind in kinds.all_kinds().values():
        assert issubclass(kind.params, JobParams)
        assert kind.operation_param == "" or kind.operation_param in kind.params.__dataclass_fields__


@pytest.mark.django_db
def test_a_job_with_invalid_parameters_stops_with_an_error(org, emulator):
    job = create_registration(org.connection, started_by=org.members["operator"])
    job.params = {"product_key": "a1"}
    job.save()
    chunk = job.chunks.create(number=1, step="submit")
    for _ in range(engine.delays.MAX_CRASHES):
        engine.run_step(chunk.pk)
        job.chunks.update(next_at=job.created_at)
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "InvalidParams" in job.error_text
