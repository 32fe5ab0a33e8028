"""Periodic tasks: record the numbers of devices of all connections."""

from __future__ import annotations

import logging

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.core.cache import caches
from django.utils import timezone

from console.accounts.encryption import Undecryptable
from console.connections.locks import hold_lock
from console.connections.models import Connection
from console.dashboard.sampling import record_connection
from console.device_counts.history import INTERVAL, delete_old_samples, start_of_step
from iot_client.errors import CloudError

log = logging.getLogger(__name__)
_SECONDS = int(INTERVAL.total_seconds())


@shared_task(name="dashboard.count_devices", acks_late=False)
def count_devices() -> None:
    """Delete old samples, and start a task for each connection that has had none in these ten minutes.

    It runs every minute, so that a new connection, and a console that has just started, soon have a first sample.
    """
    delete_old_samples()
    interval = int(start_of_step(timezone.now(), INTERVAL).timestamp())
    for pk in Connection.objects.order_by("pk").values_list("pk", flat=True):
        if caches["cloud"].add(f"device-counts:{pk}:{interval}", True, _SECONDS):
            count_connection.apply_async((pk,), expires=_SECONDS)


@shared_task(
    name="dashboard.count_connection",
    acks_late=False,
    soft_time_limit=_SECONDS - 60,
    time_limit=_SECONDS - 30,  # less than the lock below is kept
)
def count_connection(pk: int) -> None:
    """Count and record the devices of a connection, unless another worker is at it. A connection that cannot be reached is
    skipped."""
    connection = Connection.objects.select_related("team").filter(pk=pk).first()
    if connection is None:
        return
    with hold_lock(f"device-counts:{pk}", seconds=_SECONDS) as is_held:
        if not is_held:
            return
        try:
            record_connection(connection)
        except (CloudError, Undecryptable, SoftTimeLimitExceeded) as error:
            reason = error.code if isinstance(error, CloudError) else type(error).__name__
            log.info("The devices of connection %s were not counted: %s", pk, reason)
