"""Every state has a label, a tone and an icon."""

from __future__ import annotations

import pytest

from console.areas.ota.jobs import STATUSES as TASK_STATUSES
from console.audit.models import AuditRecord
from console.jobs.models import Item, Job
from console.ui.statuses import all_statuses


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("job", Job.State.values),
        ("item", Item.Outcome.values),
        ("registered_device", Item.Outcome.values),
        ("audit", AuditRecord.Outcome.values),
        ("batch_task", TASK_STATUSES),
    ],
)
def test_every_state_has_a_status_label(kind, states):
    assert set(states) <= set(all_statuses()[kind])
