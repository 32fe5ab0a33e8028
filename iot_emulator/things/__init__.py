"""Thing models, the data and commands that use them, and device shadows.

specs.py       data types: both notations, and the check of values
features.py    properties, services, events, modules; ThingModelJson
tsl.py         reading and writing TSL
store.py       the tables: drafts, versions, set values and called services
models.py      editing, publishing, reading models; extended.py, scripts.py, templates.py beside it
categories.py  the standard categories
noise.py, curves.py, simulation.py   the reports, events and calls of simulated devices, computed on demand
records.py     these, merged with stored reports and calls; history.py and original_data.py read from it
commands.py    setting properties and calling services; desired.py, shadows.py
sample.py      models for the sample fleet
"""

from __future__ import annotations

from iot_emulator.call import Handler
from iot_emulator.things import (
    commands,
    desired,
    extended,
    history,
    models,
    original_data,
    scripts,
    shadows,
    store,
    templates,
)
from iot_emulator.things.codes import CHECKED_BY_HANDLER, CODES

__all__ = ["CHECKED_BY_HANDLER", "CODES", "OPERATIONS", "SCHEMA", "WRITE_OPERATIONS"]

OPERATIONS: dict[str, Handler] = {
    **models.OPERATIONS,
    **extended.OPERATIONS,
    **scripts.OPERATIONS,
    **templates.OPERATIONS,
    **history.OPERATIONS,
    **original_data.OPERATIONS,
    **commands.OPERATIONS,
    **desired.OPERATIONS,
    **shadows.OPERATIONS,
}

# Reading a model as TSL writes its file into the object store.
WRITE_OPERATIONS = frozenset(("GetThingModelTsl", "GetThingModelTslPublished"))

SCHEMA = store.SCHEMA + shadows.SCHEMA
