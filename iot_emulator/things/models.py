"""Editing thing models (CreateThingModel, UpdateThingModel, DeleteThingModel, ImportThingModelTsl, CopyThingModel),
publishing them, and reading drafts and versions in both notations.

Edits change the draft. If the reference has no specific code for an error, the general code is used:
`iot.prod.BatchCreateThingModelFailed` for features, `iot.prod.UpdateProductFailed` for the product's status.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from iot_emulator import objects
from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError, invalid_parameter
from iot_emulator.things import store, tsl
from iot_emulator.things.common import (
    decode_json_object,
    find_editable_product,
    find_modeled_product,
    model_error,
    unknown_block_error,
)
from iot_emulator.things.extended import check_extended
from iot_emulator.things.features import (
    Block,
    Feature,
    Model,
    block_to_json,
    check_duplicates,
    event_to_json,
    property_to_json,
    read_block,
    read_entries,
    service_to_json,
)
from iot_emulator.things.specs import RuleViolation

MAX_FEATURES = 10  # per call of CreateThingModel
MAX_TSL = 256 * 1024  # characters of the TSL of a module, see tsl.count_characters
_FAILED = "iot.prod.BatchCreateThingModelFailed"


# --- editing


def create_thing_model(call: Call) -> dict[str, Any]:
    """CreateThingModel: adds up to ten features to a module of the draft; creates the module if it is new."""
    product = find_editable_product(call)
    data = _read_model_json(call)
    if data is None and not call.params.get("FunctionBlockId"):
        raise ServiceError(_FAILED, "ThingModelJson has no feature to add.")
    model = store.read_draft(call.db, product["product_key"])
    try:
        added = read_block(data or {}, call.now)
        if len(added.all_features()) > MAX_FEATURES:
            raise RuleViolation(f"at most {MAX_FEATURES} features can be added in one call")
        if data is not None and not added.all_features():
            raise RuleViolation("it has no feature to add")
        block = _find_or_create_block(call, model) or Block()
        joined = replace(
            block,
            properties=block.properties + added.properties,
            services=block.services + added.services,
            events=block.events + added.events,
        )
        check_duplicates(joined)
        check_extended(added, product["protocol_type"])
    except RuleViolation as violation:
        raise model_error(violation) from None
    _save_block(call, product["product_key"], model, joined)
    return {}


def update_thing_model(call: Call) -> dict[str, Any]:
    """UpdateThingModel: changes one feature of the draft, or the name of a module.

    `Identifier` selects the feature, which can then get another identifier; without it, the identifier in
    ThingModelJson selects it. Fields that are not sent are kept.
    """
    product = find_editable_product(call)
    key = product["product_key"]
    model = store.read_draft(call.db, key)
    block_id = call.params.get("FunctionBlockId") or ""
    block = model.block(block_id)
    if block is None:
        raise unknown_block_error(block_id)
    if block_id and call.params.get("FunctionBlockName"):
        block = replace(block, name=call.params["FunctionBlockName"])
    data = _read_model_json(call)
    if data is None and not (block_id and call.params.get("FunctionBlockName")):
        raise ServiceError(_FAILED, "The request has no change.")
    if data is not None:
        newest = store.find_version(call.db, key)
        try:
            block = _change_feature(
                block, data, call.params.get("Identifier"), newest.created if newest else 0, call.now
            )
            check_duplicates(block)
            check_extended(block, product["protocol_type"])
        except RuleViolation as violation:
            raise model_error(violation) from None
    _save_block(call, key, model, block)
    return {}


F = TypeVar("F", bound=Feature)


def _change_feature(
    block: Block, data: Mapping[str, Any], identifier: str | None, published: int, now: int
) -> Block:
    """Return the module with the one feature that `data` describes changed."""
    entries = [
        (kind, entry) for kind in ("properties", "services", "events") for entry in read_entries(data, kind)
    ]
    if len(entries) != 1:
        raise RuleViolation("exactly one feature can be changed in one call")
    kind, entry = entries[0]
    target_identifier = identifier or entry.get("identifier")

    def changed(features: tuple[F, ...], write: Any) -> tuple[F, ...]:
        old = next((feature for feature in features if feature.identifier == target_identifier), None)
        if old is None:
            raise RuleViolation(f"the model has no feature {target_identifier}")
        before = write(old, "")
        if "dataType" in entry:
            before = {name: value for name, value in before.items() if not name.startswith("data")}
        # The first change of a published feature sets a new time of definition.
        created = now if old.created <= published else old.created
        merged = {**before, **entry, "createTs": entry.get("createTs") or created}
        read: Any = getattr(read_block({kind: [merged]}, now), kind)[0]
        return tuple(read if feature is old else feature for feature in features)

    if kind == "properties":
        return replace(block, properties=changed(block.properties, property_to_json))
    if kind == "services":
        return replace(block, services=changed(block.services, service_to_json))
    return replace(block, events=changed(block.events, event_to_json))


def delete_thing_model(call: Call) -> dict[str, Any]:
    """DeleteThingModel: deletes features of the draft by identifier; without identifiers, the whole module."""
    key = find_editable_product(call)["product_key"]
    model = store.read_draft(call.db, key)
    block_id = call.params.get("FunctionBlockId") or ""
    block = model.block(block_id)
    if block is None:
        raise unknown_block_error(block_id)
    deleted = {
        kind: set(call.params.get(name) or ())
        for kind, name in (
            ("properties", "PropertyIdentifier"),
            ("services", "ServiceIdentifier"),
            ("events", "EventIdentifier"),
        )
    }
    if not any(deleted.values()):
        remaining_blocks = {name: other for name, other in model.blocks.items() if name != block_id}
        store.save_draft(call.db, key, Model(remaining_blocks))
        return {}
    unknown = [
        identifier
        for kind, identifiers in deleted.items()
        for identifier in sorted(identifiers - {feature.identifier for feature in getattr(block, kind)})
    ]
    if unknown:
        raise ServiceError(_FAILED, f"The model has no feature {', '.join(unknown)}.")
    remaining = replace(
        block,
        properties=tuple(item for item in block.properties if item.identifier not in deleted["properties"]),
        services=tuple(item for item in block.services if item.identifier not in deleted["services"]),
        events=tuple(item for item in block.events if item.identifier not in deleted["events"]),
    )
    _save_block(call, key, model, remaining)
    return {}


def import_thing_model_tsl(call: Call) -> dict[str, Any]:
    """ImportThingModelTsl: replaces a module of the draft with TslStr. `TslUrl` has no effect."""
    key = find_editable_product(call)["product_key"]
    text = call.params.get("TslStr")
    if not text:
        raise invalid_parameter("TslStr is required.")
    data = decode_json_object(text, _FAILED, "TslStr")
    model = store.read_draft(call.db, key)
    try:
        imported = tsl.parse_tsl(data, call.now)
    except RuleViolation as violation:
        raise model_error(violation) from None
    block = _find_or_create_block(call, model) or Block()
    imported = replace(imported, identifier=block.identifier, name=block.name, description=block.description)
    _save_block(call, key, model, imported)
    return {}


def copy_thing_model(call: Call) -> dict[str, Any]:
    """CopyThingModel: copies a version of one product (the named one, else the newest, else the draft) to the
    draft of another."""
    source = find_modeled_product(call, call.params["SourceProductKey"])
    target = find_editable_product(call, call.params["TargetProductKey"])
    if source["category_key"] != target["category_key"]:
        raise ServiceError("iot.prod.InvalidFormattedCatId", "The two products must have the same category.")
    version = call.params.get("SourceModelVersion") or ""
    published = store.find_version(call.db, source["product_key"], version)
    if published is None and version:
        raise _version_not_found(version)
    model = published.model if published else store.read_draft(call.db, source["product_key"])
    store.save_draft(call.db, target["product_key"], model)
    return {}


def publish_thing_model(call: Call) -> dict[str, Any]:
    """PublishThingModel: makes the draft the newest version, which devices use from now on."""
    key = find_editable_product(call)["product_key"]
    version = call.params.get("ModelVersion") or str(call.now)
    try:
        store.publish_draft(call.db, key, version, call.params.get("Description") or "", call.now)
    except sqlite3.IntegrityError:
        raise invalid_parameter(f"The version {version} already exists.") from None
    return {}


def _read_model_json(call: Call) -> dict[str, Any] | None:
    text = call.params.get("ThingModelJson")
    return decode_json_object(text, _FAILED, "ThingModelJson") if text else None


def _find_or_create_block(call: Call, model: Model) -> Block | None:
    """Find the module of a call, or create it with the name of the call; None if the default module does not exist."""
    identifier = call.params.get("FunctionBlockId") or ""
    known = model.block(identifier)
    if known is not None or not identifier:
        return known
    name = call.params["FunctionBlockName"]
    if any(block.name == name for block in model.blocks.values()):
        raise ServiceError(
            "iot.prod.ThingModelNameDuplicated", f"Another module already has the name {name}."
        )
    return Block(identifier=identifier, name=name)


def _save_block(call: Call, product_key: str, model: Model, block: Block) -> None:
    """Store the draft with a changed or new module, which must not be too large."""
    if tsl.count_characters(block) > MAX_TSL:
        raise ServiceError(
            "iot.common.UpdateThingModelOverLimit", f"The TSL is larger than {MAX_TSL:,} characters."
        )
    store.save_draft(call.db, product_key, model.with_block(block))


def _version_not_found(version: str) -> ServiceError:
    return invalid_parameter(f"The product has no published version {version} of its thing model.")


# --- reading


def query_thing_model(call: Call) -> dict[str, Any]:
    """QueryThingModel: the draft, or the named version."""
    product, published, model = _read_model(call, draft=True)
    return _model_response(call, product["product_key"], published, model)


def query_thing_model_published(call: Call) -> dict[str, Any]:
    """QueryThingModelPublished: the newest version, or the named one."""
    product, published, model = _read_model(call, draft=False)
    return _model_response(call, product["product_key"], published, model)


def get_thing_model_tsl(call: Call) -> dict[str, Any]:
    """GetThingModelTsl: the draft, or the named version, as TSL."""
    product, published, model = _read_model(call, draft=True)
    return _tsl_response(call, product["product_key"], published, model)


def get_thing_model_tsl_published(call: Call) -> dict[str, Any]:
    """GetThingModelTslPublished: the newest version, or the named one, as TSL."""
    product, published, model = _read_model(call, draft=False)
    return _tsl_response(call, product["product_key"], published, model)


def list_thing_model_version(call: Call) -> dict[str, Any]:
    """ListThingModelVersion: newest first."""
    key = find_modeled_product(call)["product_key"]
    return {
        "Data": {
            "ModelVersions": [
                {
                    "ModelVersion": row["version"],
                    "GmtCreate": row["created"],
                    "Description": row["description"],
                }
                for row in store.list_versions(call.db, key)
            ]
        }
    }


def _read_model(call: Call, *, draft: bool) -> tuple[sqlite3.Row, store.ModelVersion | None, Model]:
    """Read the product, the requested version (None for the draft), and its model."""
    product = find_modeled_product(call)
    key = product["product_key"]
    version = call.params.get("ModelVersion") or ""
    if draft and not version:
        return product, None, store.read_draft(call.db, key)
    published = store.find_version(call.db, key, version)
    if published is None and version:
        raise _version_not_found(version)
    return product, published, published.model if published else Model()


def _find_block(call: Call, model: Model) -> Block:
    identifier = call.params.get("FunctionBlockId") or ""
    block = model.block(identifier)
    if block is None:
        raise unknown_block_error(identifier)
    return block


def _model_response(
    call: Call, key: str, published: store.ModelVersion | None, model: Model
) -> dict[str, Any]:
    block = _find_block(call, model)
    data: dict[str, Any] = {"productKey": key, **block_to_json(block, key)}
    if published is not None:
        data["_ppk"] = {"version": published.version, "description": published.description}
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


def _tsl_response(call: Call, key: str, published: store.ModelVersion | None, model: Model) -> dict[str, Any]:
    block = _find_block(call, model)
    simple = bool(call.params.get("Simple"))
    version = published.version if published else ""
    text = tsl.export_tsl(block, key, version, simple)
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
