"""Updates over the air: modules, packages, batches and the devices' tasks in them.

modules.py    what of a product is updated
packages.py   what it is updated to
jobs.py       batches: making and reading them
targets.py    which devices a batch takes
tasks.py      one device in one batch: reading, confirming, cancelling
repeating.py  running ended tasks again
running.py    what tasks do by themselves, on the clock
settling.py   when that is
"""

from __future__ import annotations

from console.emulator.call import Handler
from console.emulator.ota import jobs, modules, packages, repeating, running, tasks
from console.emulator.ota.settling import DEFERRED_WORK

__all__ = ["DEFERRED_WORK", "OPERATIONS", "SCHEMA"]

OPERATIONS: dict[str, Handler] = {
    **modules.OPERATIONS,
    **packages.OPERATIONS,
    **jobs.OPERATIONS,
    **tasks.OPERATIONS,
    **repeating.OPERATIONS,
}
SCHEMA = "\n".join((modules.SCHEMA, packages.SCHEMA, running.SCHEMA))
