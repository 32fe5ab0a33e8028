"""Editing thing models (CreateThingModel, UpdateThingModel, DeleteThingModel, ImportThingModelTsl, CopyThingModel),
publishing them, and reading drafts and versions in both notations.

Edits go to the draft. What the reference has no code of its own for is refused with the general one of the thing that
failed: `iot.prod.BatchCreateThingModelFailed` for features, `iot.prod.UpdateProductFailed` for the product's state.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from console.emulator import objects
from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError, invalid_parameter
from console.emulator.things import store, tsl
from console.emulator.things.common import (
    decoded_object,
    editable_product_of,
    model_refused,
    modelled_product_of,
    unknown_block,
)
from console.emulator.things.extended import check_extended
from console.emulator.things.features import (
    Block,
    Feature,
    Model,
    block_json,
    check_duplicates,
    dump,
    entries_of,
    event_json,
    property_json,
    read_block,
    service_json,
)
from console.emulator.things.specs import Flaw

MAX_FEATURES = 10  # a call of CreateThingModel
MAX_MODEL = 256 * 1024  # characters
_FAILED = "iot.prod.BatchCreateThingModelFailed"


# --- editing


def create_thing_model(call: Call) -> dict[str, Any]:
    """CreateThingModel: adds up to ten features to the draft; names the module they go to, which is made if new."""
    product = editable_product_of(call)
    data = _given_model(call)
    if data is None and not call.params.get("FunctionBlockId"):
        raise ServiceError(_FAILED, "There is no feature to add.")
    model = store.draft(call.db, product["product_key"])
    try:
        added = read_block(data or {}, call.now)
        if len(added.all()) > MAX_FEATURES:
            raise Flaw(f"at most {MAX_FEATURES} features can be added in one call")
        if data is not None and not added.all():
            raise Flaw("there is no feature to add")
        block = _named_block(call, model) or Block()
        joined = replace(
            block,
            properties=block.properties + added.properties,
            services=block.services + added.services,
            events=block.events + added.events,
        )
        check_duplicates(joined)
        check_extended(added, product["protocol_type"])
    except Flaw as flaw:
        raise model_refused(flaw) from None
    _save(call, product["product_key"], model.with_block(joined))
    return {}


def update_thing_model(call: Call) -> dict[str, Any]:
    """UpdateThingModel: changes one feature of the draft, or the name of a module.

    The feature is the one named by `Identifier`, which may so get another identifier, or else the one that
    ThingModelJson describes. Fields that are not sent stay.
    """
    product = editable_product_of(call)
    key = product["product_key"]
    model = store.draft(call.db, key)
    block_id = call.params.get("FunctionBlockId") or ""
    block = model.block(block_id)
    if block is None:
        raise unknown_block(block_id)
    if block_id and call.params.get("FunctionBlockName"):
        block = replace(block, name=call.params["FunctionBlockName"])
    data = _given_model(call)
    if data is None and not (block_id and call.params.get("FunctionBlockName")):
        raise ServiceError(_FAILED, "There is nothing to change.")
    if data is not None:
        newest = store.published(call.db, key)
        try:
            block = _with_changed(
                block, data, call.params.get("Identifier"), newest.created if newest else 0, call.now
            )
            check_duplicates(block)
            check_extended(block, product["protocol_type"])
        except Flaw as flaw:
            raise model_refused(flaw) from None
    _save(call, key, model.with_block(block))
    return {}


F = TypeVar("F", bound=Feature)


def _with_changed(
    block: Block, data: Mapping[str, Any], identifier: str | None, published: int, now: int
) -> Block:
    """The module with the one feature that `data` describes changed."""
    given = [
        (kind, entry) for kind in ("properties", "services", "events") for entry in entries_of(data, kind)
    ]
    if len(given) != 1:
        raise Flaw("exactly one feature can be changed in one call")
    kind, entry = given[0]
    wanted = identifier or entry.get("identifier")

    def changed(features: tuple[F, ...], write: Any) -> tuple[F, ...]:
        old = next((feature for feature in features if feature.identifier == wanted), None)
        if old is None:
            raise Flaw(f"there is no feature {wanted} to change")
        before = write(old, "")
        if "dataType" in entry:
            before = {name: value for name, value in before.items() if not name.startswith("data")}
        # A feature counts as defined anew when it is first changed after having been published.
        created = now if old.created <= published else old.created
        merged = {**before, **entry, "createTs": entry.get("createTs") or created}
        read: Any = getattr(read_block({kind: [merged]}, now), kind)[0]
        return tuple(read if feature is old else feature for feature in features)

    if kind == "properties":
        return replace(block, properties=changed(block.properties, property_json))
    if kind == "services":
        return replace(block, services=changed(block.services, service_json))
    return replace(block, events=changed(block.events, event_json))


def delete_thing_model(call: Call) -> dict[str, Any]:
    """DeleteThingModel: features of the draft by identifier; with only a module named, the whole module."""
    key = editable_product_of(call)["product_key"]
    model = store.draft(call.db, key)
    block_id = call.params.get("FunctionBlockId") or ""
    block = model.block(block_id)
    if block is None:
        raise unknown_block(block_id)
    gone = {
        kind: set(call.params.get(name) or ())
        for kind, name in (
            ("properties", "PropertyIdentifier"),
            ("services", "ServiceIdentifier"),
            ("events", "EventIdentifier"),
        )
    }
    if not any(gone.values()):
        rest = Model({name: other for name, other in model.blocks.items() if name != block_id})
        _save(call, key, rest)
        return {}
    unknown = [
        identifier
        for kind, identifiers in gone.items()
        for identifier in sorted(identifiers - {feature.identifier for feature in getattr(block, kind)})
    ]
    if unknown:
        raise ServiceError(_FAILED, f"The model has no feature {', '.join(unknown)}.")
    left = replace(
        block,
        properties=tuple(item for item in block.properties if item.identifier not in gone["properties"]),
        services=tuple(item for item in block.services if item.identifier not in gone["services"]),
        events=tuple(item for item in block.events if item.identifier not in gone["events"]),
    )
    _save(call, key, model.with_block(left))
    return {}


def import_thing_model_tsl(call: Call) -> dict[str, Any]:
    """ImportThingModelTsl: a module of the draft becomes what TslStr says. `TslUrl` has no effect."""
    key = editable_product_of(call)["product_key"]
    text = call.params.get("TslStr")
    if not text:
        raise invalid_parameter("TslStr is required.")
    if len(text) > MAX_MODEL:
        raise _too_large()
    data = decoded_object(text, _FAILED, "TslStr")
    model = store.draft(call.db, key)
    try:
        imported = tsl.parse(data, call.now)
    except Flaw as flaw:
        raise model_refused(flaw) from None
    block = _named_block(call, model) or Block()
    imported = replace(imported, identifier=block.identifier, name=block.name, description=block.description)
    _save(call, key, model.with_block(imported))
    return {}


def copy_thing_model(call: Call) -> dict[str, Any]:
    """CopyThingModel: a version of one product (its newest unless named, else its draft) becomes another's draft."""
    source = modelled_product_of(call, call.params["SourceProductKey"])
    target = editable_product_of(call, call.params["TargetProductKey"])
    if source["category_key"] != target["category_key"]:
        raise ServiceError("iot.prod.InvalidFormattedCatId", "The two products must be of the same category.")
    version = call.params.get("SourceModelVersion") or ""
    found = store.published(call.db, source["product_key"], version)
    if found is None and version:
        raise _no_version(version)
    model = found.model if found else store.draft(call.db, source["product_key"])
    store.save_draft(call.db, target["product_key"], model)
    return {}


def publish_thing_model(call: Call) -> dict[str, Any]:
    """PublishThingModel: the draft becomes the newest version, and is what devices live by from now on."""
    key = editable_product_of(call)["product_key"]
    version = call.params.get("ModelVersion") or str(call.now)
    try:
        store.publish(call.db, key, version, call.params.get("Description") or "", call.now)
    except sqlite3.IntegrityError:
        raise invalid_parameter(f"The version {version} exists already.") from None
    return {}


def _given_model(call: Call) -> dict[str, Any] | None:
    text = call.params.get("ThingModelJson")
    return decoded_object(text, _FAILED, "ThingModelJson") if text else None


def _named_block(call: Call, model: Model) -> Block | None:
    """The module a call names, existing or new; None for the default one of an empty model."""
    identifier = call.params.get("FunctionBlockId") or ""
    known = model.block(identifier)
    if known is not None or not identifier:
        return known
    name = call.params["FunctionBlockName"]
    if any(block.name == name for block in model.blocks.values()):
        raise ServiceError("iot.prod.ThingModelNameDuplicated", f"Another module is named {name}.")
    return Block(identifier=identifier, name=name)


def _save(call: Call, product_key: str, model: Model) -> None:
    if len(dump(model)) > MAX_MODEL:
        raise _too_large()
    store.save_draft(call.db, product_key, model)


def _too_large() -> ServiceError:
    return ServiceError(
        "iot.common.UpdateThingModelOverLimit", "A thing model has at most 262,144 characters."
    )


def _no_version(version: str) -> ServiceError:
    return invalid_parameter(f"The product has no published version {version} of its thing model.")


# --- reading


def query_thing_model(call: Call) -> dict[str, Any]:
    """QueryThingModel: the draft, or the version named."""
    product, found, model = _read(call, draft=True)
    return _model_answer(call, product["product_key"], found, model)


def query_thing_model_published(call: Call) -> dict[str, Any]:
    """QueryThingModelPublished: the newest version, or the one named."""
    product, found, model = _read(call, draft=False)
    return _model_answer(call, product["product_key"], found, model)


def get_thing_model_tsl(call: Call) -> dict[str, Any]:
    """GetThingModelTsl: the draft, or the version named, as TSL."""
    product, found, model = _read(call, draft=True)
    return _tsl_answer(call, product["product_key"], found, model)


def get_thing_model_tsl_published(call: Call) -> dict[str, Any]:
    """GetThingModelTslPublished: the newest version, or the one named, as TSL."""
    product, found, model = _read(call, draft=False)
    return _tsl_answer(call, product["product_key"], found, model)


def list_thing_model_version(call: Call) -> dict[str, Any]:
    """ListThingModelVersion: the newest first."""
    key = modelled_product_of(call)["product_key"]
    return {
        "Data": {
            "ModelVersions": [
                {
                    "ModelVersion": row["version"],
                    "GmtCreate": row["created"],
                    "Description": row["description"],
                }
                for row in store.versions(call.db, key)
            ]
        }
    }


def _read(call: Call, *, draft: bool) -> tuple[sqlite3.Row, store.Version | None, Model]:
    """The product, the version meant (None for a draft), and its model."""
    product = modelled_product_of(call)
    key = product["product_key"]
    version = call.params.get("ModelVersion") or ""
    if draft and not version:
        return product, None, store.draft(call.db, key)
    found = store.published(call.db, key, version)
    if found is None and version:
        raise _no_version(version)
    return product, found, found.model if found else Model()


def _block_read(call: Call, model: Model) -> Block:
    identifier = call.params.get("FunctionBlockId") or ""
    block = model.block(identifier)
    if block is None:
        raise unknown_block(identifier)
    return block


def _model_answer(call: Call, key: str, found: store.Version | None, model: Model) -> dict[str, Any]:
    block = _block_read(call, model)
    data: dict[str, Any] = {"productKey": key, **block_json(block, key)}
    if found is not None:
        data["_ppk"] = {"version": found.version, "description": found.description}
    if block.identifier:
        data |= {"identifier": block.identifier, "name": block.name, "description": block.description}
    else:
        others = [
            {"productKey": key, "functionBlockId": other.identifier, "functionBlockName": other.name}
            for other in model.blocks.values()
            if other.identifier
        ]
        if others:
            data["functionBlocks"] = others
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return {"ProductKey": key, "Data": {"ThingModelJson": text}}


def _tsl_answer(call: Call, key: str, found: store.Version | None, model: Model) -> dict[str, Any]:
    block = _block_read(call, model)
    simple = bool(call.params.get("Simple"))
    version = found.version if found else ""
    text = tsl.export(block, key, version, simple)
    kind = "-simple" if simple else ""
    path = f"thing/{key}/{version or 'draft'}/{block.identifier or 'default'}/model{kind}.json"
    data = text.encode("utf-8", "surrogatepass")
    stored = objects.find_object(call.db, path)
    if stored is None or stored.md5 != hashlib.md5(data, usedforsecurity=False).hexdigest():
        objects.open_store(call.emulator).put(call.db, path, data, call.now)
    return {
        "Data": {"TslStr": text, "TslUri": objects.sign_url(call.db, call.base_url, path, call.now, 3600)}
    }


OPERATIONS: dict[str, Handler] = {
    "CreateThingModel": create_thing_model,
    "UpdateThingModel": update_thing_model,
    "DeleteThingModel": delete_thing_model,
    "ImportThingModelTsl": import_thing_model_tsl,
    "CopyThingModel": copy_thing_model,
    "PublishThingModel": publish_thing_model,
    "QueryThingModel": query_thing_model,
    "QueryThingModelPublished": query_thing_model_published,
    "GetThingModelTsl": get_thing_model_tsl,
    "GetThingModelTslPublished": get_thing_model_tsl_published,
    "ListThingModelVersion": list_thing_model_version,
}
