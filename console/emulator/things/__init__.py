"""Thing models, what devices tell and are told by them, and device shadows.

specs.py       data types: both notations, and the check of values
features.py    properties, services, events, modules; ThingModelJson
tsl.py         TSL, written and read
store.py       the tables: drafts, versions, what was set and called
models.py      editing, publishing, reading models; extended.py, scripts.py, templates.py beside it
categories.py  the standard categories
noise.py, curves.py, simulation.py   what simulated devices tell by themselves, computed on demand
reading.py     that, merged with what was really set and called; history.py and originals.py answer from it
telling.py     setting properties and calling services; desired.py, shadows.py
sample.py      models for the sample fleet
"""

from __future__ import annotations

from console.emulator.call import Handler
from console.emulator.things import (
    desired,
    extended,
    history,
    models,
    originals,
    scripts,
    shadows,
    store,
    telling,
    templates,
)
from console.emulator.things.codes import CHECKED_BY_HANDLER, CODES

__all__ = ["CHECKED_BY_HANDLER", "CODES", "OPERATIONS", "SCHEMA", "WRITE_OPERATIONS"]

OPERATIONS: dict[str, Handler] = {
    **models.OPERATIONS,
    **extended.OPERATIONS,
    **scripts.OPERATIONS,
    **templates.OPERATIONS,
    **history.OPERATIONS,
    **originals.OPERATIONS,
    **telling.OPERATIONS,
    **desired.OPERATIONS,
    **shadows.OPERATIONS,
}

# Reading a model as TSL puts its file into the object store.
WRITE_OPERATIONS = frozenset(("GetThingModelTsl", "GetThingModelTslPublished"))

SCHEMA = store.SCHEMA + shadows.SCHEMA
