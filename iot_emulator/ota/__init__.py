"""Updates over the air (OTA): modules, packages, batches and their tasks. A task is one device in one batch. The API calls
a batch "job".

modules.py        modules of a product that are updated separately
packages.py       update packages
batches.py        creating and reading batches
targets.py        selecting the devices of a batch
tasks.py          reading, confirming and canceling tasks
reruns.py         running failed and canceled tasks again
running.py        the course of tasks over time
deferred_work.py  when the next change is due, and making it
"""

from __future__ import annotations

from iot_emulator.call import Handler
from iot_emulator.ota import batches, modules, packages, reruns, running, tasks
from iot_emulator.ota.deferred_work import DEFERRED_WORK

__all__ = ["DEFERRED_WORK", "OPERATIONS", "SCHEMA"]

OPERATIONS: dict[str, Handler] = {
    **modules.OPERATIONS,
    **packages.OPERATIONS,
    **batches.OPERATIONS,
    **tasks.OPERATIONS,
    **reruns.OPERATIONS,
}
SCHEMA = "\n".join((modules.SCHEMA, packages.SCHEMA, running.SCHEMA))
