"""Thing models: what a product's devices can tell and be told."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Row

NOBODY = ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")
NO_VERSION = ({"ModelVersion": "v9"}, "iot.common.InvalidFormattedParameter")
BAD_MODEL = "iot.prod.BatchCreateThingModelFailed"
SCRIPT = "function protocolToRawData(json) { return []; }"


def prop(identifier: str, **changes: Any) -> dict[str, Any]:
    """A whole number from 0 to 100, as ThingModelJson has it."""
    return {
        "identifier": identifier,
        "name": identifier,
        "dataType": "INT",
        "rwFlag": "READ_WRITE",
        "required": False,
        "custom": True,
        "dataSpecs": {"dataType": "INT", "min": "0", "max": "100", "step": "1", "unit": "%"},
        **changes,
    }


MODEL = {
    "properties": [prop("Level", extendConfig='{"identifier":"Level"}')],
    "services": [
        {
            "identifier": "Restart",
            "serviceName": "Restart",
            "callType": "ASYNC",
            "inputParams": [],
            "outputParams": [],
            "required": False,
            "custom": True,
        }
    ],
}


def senior(platform: PreparedPlatform, **params: Any) -> str:
    """A product that can have a thing model; it has none yet."""
    return platform.product(**{"AliyunCommodityCode": "iothub_senior", "DataFormat": 1, **params})


def drafted(platform: PreparedPlatform, **params: Any) -> str:
    key = senior(platform, **params)
    platform.call("CreateThingModel", ProductKey=key, ThingModelJson=json.dumps(MODEL))
    return key


def modelled(platform: PreparedPlatform, **params: Any) -> str:
    """A product whose model is published as v1."""
    key = drafted(platform, **params)
    platform.call("PublishThingModel", ProductKey=key, ModelVersion="v1", Description="first")
    return key


def scripted(platform: PreparedPlatform) -> str:
    key = senior(platform, DataFormat=0)
    platform.call("CreateThingScript", ProductKey=key, ScriptContent=SCRIPT, ScriptType="JavaScript")
    return key


def properties(platform: PreparedPlatform, key: str) -> list[str]:
    """The identifiers of the draft's properties."""
    told = platform.call("QueryThingModel", ProductKey=key)["Data"]["ThingModelJson"]
    return column(json.loads(told).get("properties") or [], "identifier")


def published(platform: PreparedPlatform, key: str) -> list[str]:
    told = platform.call("QueryThingModelPublished", ProductKey=key)["Data"]["ThingModelJson"]
    return column(json.loads(told).get("properties") or [], "identifier")


BASIC = (lambda w, asked: {"ProductKey": w.product()}, "iot.prod.NotSeniorProduct")

ROWS = [
    Row(
        "CreateThingModel",
        lambda w: {"ProductKey": senior(w), "ThingModelJson": json.dumps(MODEL)},
        "the draft has the property",
        lambda w, asked, told: properties(w, asked["ProductKey"]) == ["Level"],
        bad=[
            ({"ThingModelJson": "{no"}, BAD_MODEL),
            ({"ThingModelJson": json.dumps({"properties": [prop("Level", dataType="COLOUR")]})}, BAD_MODEL),
            ({"FunctionBlockId": "Battery"}, "iot.common.InvalidFormattedParameter"),
            BASIC,
        ],
        absent=[NOBODY],
    ),
    Row(
        "UpdateThingModel",
        lambda w: {
            "ProductKey": drafted(w),
            "Identifier": "Level",
            "ThingModelJson": json.dumps(
                {"properties": [prop("Height", extendConfig='{"identifier":"Height"}')]}
            ),
        },
        "the property has another identifier",
        lambda w, asked, told: properties(w, asked["ProductKey"]) == ["Height"],
        bad=[
            ({"ThingModelJson": "{no"}, BAD_MODEL),
            ({"FunctionBlockName": "Battery"}, "iot.common.InvalidFormattedParameter"),
        ],
        absent=[NOBODY, ({"Identifier": "Nothing"}, BAD_MODEL)],
    ),
    Row(
        "QueryThingModel",
        lambda w: {"ProductKey": modelled(w), "ModelVersion": "v1"},
        "a version's features",
        lambda w, asked, told: (
            column(json.loads(told["Data"]["ThingModelJson"])["properties"], "identifier") == ["Level"]
        ),
        missing={"ProductKey": "iot.prod.NullProductKey"},
        absent=[NOBODY, NO_VERSION],
    ),
    Row(
        "CopyThingModel",
        lambda w: {
            "SourceProductKey": modelled(w),
            "SourceModelVersion": "v1",
            "TargetProductKey": senior(w),
        },
        "the target's draft has the source's features",
        lambda w, asked, told: properties(w, asked["TargetProductKey"]) == ["Level"],
        bad=[(lambda w, asked: {"TargetProductKey": w.product()}, "iot.prod.NotSeniorProduct")],
        absent=[
            ({"SourceProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct"),
            ({"TargetProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct"),
            ({"SourceModelVersion": "v9"}, "iot.common.InvalidFormattedParameter"),
        ],
    ),
    Row(
        "PublishThingModel",
        lambda w: {"ProductKey": drafted(w), "ModelVersion": "v2", "Description": "second"},
        "the draft is what is published",
        lambda w, asked, told: published(w, asked["ProductKey"]) == ["Level"],
        bad=[({"ModelVersion": "v 2"}, "iot.common.InvalidFormattedParameter"), BASIC],
        absent=[NOBODY],
    ),
    Row(
        "DeleteThingModel",
        lambda w: {"ProductKey": drafted(w), "PropertyIdentifier": ["Level"]},
        "the draft has no property left",
        lambda w, asked, told: properties(w, asked["ProductKey"]) == [],
        missing={
            "ProductKey": "iot.prod.NullProductKey",
            "PropertyIdentifier": "iot.common.InvalidFormattedParameter",
        },
        bad=[({"PropertyIdentifier": [f"P{n}" for n in range(11)]}, "iot.common.InvalidFormattedParameter")],
        absent=[NOBODY, ({"PropertyIdentifier": ["Nothing"]}, BAD_MODEL)],
    ),
    Row(
        "ListThingTemplates",
        lambda w: {},
        "the categories, ten at least",
        lambda w, asked, told: len(told["Data"]) >= 10 and "Lighting" in column(told["Data"], "CategoryKey"),
    ),
    Row(
        "GetThingTemplate",
        lambda w: {"CategoryKey": "Lighting"},
        "a category's features",
        lambda w, asked, told: json.loads(told["ThingModelJSON"])["properties"],
        absent=[({"CategoryKey": "Spaceship"}, "iot.prod.InvalidFormattedCatId")],
        alien=None,  # templates are everybody's
    ),
    Row(
        "ListThingModelVersion",
        lambda w: {"ProductKey": modelled(w)},
        "the versions that were published",
        lambda w, asked, told: column(told["Data"]["ModelVersions"], "ModelVersion") == ["v1"],
        absent=[NOBODY],
    ),
    Row(
        "GetThingModelTsl",
        lambda w: {"ProductKey": modelled(w), "ModelVersion": "v1"},
        "the features as TSL",
        lambda w, asked, told: (
            column(json.loads(told["Data"]["TslStr"])["properties"], "identifier") == ["Level"]
        ),
        missing={"ProductKey": "iot.prod.NullProductKey"},
        absent=[NOBODY, NO_VERSION],
    ),
    Row(
        "ImportThingModelTsl",
        lambda w: {
            "ProductKey": senior(w),
            "TslStr": w.call("GetThingModelTsl", ProductKey=modelled(w))["Data"]["TslStr"],
        },
        "the draft has another product's features",
        lambda w, asked, told: properties(w, asked["ProductKey"]) == ["Level"],
        missing={"TslStr": "iot.common.InvalidFormattedParameter"},
        bad=[
            ({"TslStr": "{no"}, BAD_MODEL),
            ({"TslStr": json.dumps({"properties": ["x" * 262_144]})}, "iot.common.UpdateThingModelOverLimit"),
        ],
        absent=[NOBODY],
    ),
    Row(
        "QueryThingModelPublished",
        lambda w: {"ProductKey": modelled(w), "ModelVersion": "v1"},
        "the features that are published",
        lambda w, asked, told: (
            column(json.loads(told["Data"]["ThingModelJson"])["properties"], "identifier") == ["Level"]
        ),
        absent=[NOBODY, NO_VERSION],
    ),
    Row(
        "GetThingModelTslPublished",
        lambda w: {"ProductKey": modelled(w), "Simple": True},
        "the published features as TSL",
        lambda w, asked, told: (
            column(json.loads(told["Data"]["TslStr"])["properties"], "identifier") == ["Level"]
        ),
        absent=[NOBODY, NO_VERSION],
    ),
    Row(
        "QueryThingModelExtendConfig",
        lambda w: {"ProductKey": drafted(w)},
        "the extended settings of the draft",
        lambda w, asked, told: "Level" in told["Data"]["Configuration"],
        absent=[NOBODY, NO_VERSION],
    ),
    Row(
        "QueryThingModelExtendConfigPublished",
        lambda w: {"ProductKey": modelled(w)},
        "the published extended settings",
        lambda w, asked, told: "Level" in told["Data"]["Configuration"],
        absent=[NOBODY, NO_VERSION],
    ),
    Row(
        "CreateThingScript",
        lambda w: {
            "ProductKey": senior(w, DataFormat=0),
            "ScriptContent": SCRIPT,
            "ScriptType": "JavaScript",
        },
        "its language is told",
        lambda w, asked, told: (
            w.call("GetThingScript", ProductKey=asked["ProductKey"])["Data"]["ScriptType"] == "JavaScript"
        ),
        bad=[
            ({"ScriptType": "Perl"}, "iot.prod.InvalidScriptType"),
            (lambda w, asked: {"ProductKey": senior(w)}, "iot.prod.ThingScriptDataFormatError"),
            (lambda w, asked: {"ProductKey": scripted(w)}, "iot.prod.ThingScriptExisted"),
        ],
        absent=[NOBODY],
    ),
    Row(
        "UpdateThingScript",
        lambda w: {"ProductKey": scripted(w), "ScriptContent": "<?php", "ScriptType": "PHP_72"},
        "it is in another language",
        lambda w, asked, told: (
            w.call("GetThingScript", ProductKey=asked["ProductKey"])["Data"]["ScriptType"] == "PHP_72"
        ),
        bad=[({"ScriptType": "Perl"}, "iot.prod.InvalidScriptType")],
        absent=[
            NOBODY,
            (lambda w, asked: {"ProductKey": senior(w, DataFormat=0)}, "iot.common.FileNotExist"),
        ],
    ),
    Row(
        "GetThingScript",
        lambda w: {"ProductKey": scripted(w)},
        "its language, and an address to load it from",
        lambda w, asked, told: told["Data"]["ScriptUrl"].startswith(f"http://{w.server.address}/oss/"),
        absent=[
            NOBODY,
            (lambda w, asked: {"ProductKey": senior(w, DataFormat=0)}, "iot.common.FileNotExist"),
        ],
    ),
]
