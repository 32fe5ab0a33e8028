"""Thing models, templates and data parsing scripts."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Row

UNKNOWN_PRODUCT = ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")
UNKNOWN_VERSION = ({"ModelVersion": "v9"}, "iot.common.InvalidFormattedParameter")
INVALID_MODEL = "iot.prod.BatchCreateThingModelFailed"
SCRIPT = "function protocolToRawData(json) { return []; }"
LARGE_TSL = {
    "events": [
        {"identifier": f"e{n}", "name": f"e{n}", "type": "info", "desc": "d" * 256} for n in range(1000)
    ]
}


def build_property(identifier: str, **changes: Any) -> dict[str, Any]:
    """Build an integer property from 0 to 100 in ThingModelJson."""
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
    "properties": [build_property("Level", extendConfig='{"identifier":"Level"}')],
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


def create_modeled_product(platform: PreparedPlatform, **params: Any) -> str:
    """Create a product that uses a thing model, without features."""
    return platform.create_product(**{"AliyunCommodityCode": "iothub_senior", "DataFormat": 1, **params})


def create_draft(platform: PreparedPlatform, **params: Any) -> str:
    key = create_modeled_product(platform, **params)
    platform.call("CreateThingModel", ProductKey=key, ThingModelJson=json.dumps(MODEL))
    return key


def create_published_model(platform: PreparedPlatform, **params: Any) -> str:
    """Create a product whose model is published as v1."""
    key = create_draft(platform, **params)
    platform.call("PublishThingModel", ProductKey=key, ModelVersion="v1", Description="first")
    return key


def create_script(platform: PreparedPlatform) -> str:
    key = create_modeled_product(platform, DataFormat=0)
    platform.call("CreateThingScript", ProductKey=key, ScriptContent=SCRIPT, ScriptType="JavaScript")
    return key


def read_draft_properties(platform: PreparedPlatform, key: str) -> list[str]:
    """Read the identifiers of the properties in the draft."""
    response = platform.call("QueryThingModel", ProductKey=key)["Data"]["ThingModelJson"]
    return column(json.loads(response).get("properties") or [], "identifier")


def read_published_properties(platform: PreparedPlatform, key: str) -> list[str]:
    response = platform.call("QueryThingModelPublished", ProductKey=key)["Data"]["ThingModelJson"]
    return column(json.loads(response).get("properties") or [], "identifier")


WITHOUT_MODEL = (
    lambda platform, request: {"ProductKey": platform.create_product()},
    "iot.prod.NotSeniorProduct",
)

ROWS = [
    Row(
        "CreateThingModel",
        lambda platform: {
            "ProductKey": create_modeled_product(platform),
            "ThingModelJson": json.dumps(MODEL),
        },
        "the draft has the property",
        lambda platform, request, response: (
            read_draft_properties(platform, request["ProductKey"]) == ["Level"]
        ),
        invalid=[
            ({"ThingModelJson": "{no"}, INVALID_MODEL),
            (
                {"ThingModelJson": json.dumps({"properties": [build_property("Level", dataType="COLOR")]})},
                INVALID_MODEL,
            ),
            ({"FunctionBlockId": "Battery"}, "iot.common.InvalidFormattedParameter"),
            WITHOUT_MODEL,
        ],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "UpdateThingModel",
        lambda platform: {
            "ProductKey": create_draft(platform),
            "Identifier": "Level",
            "ThingModelJson": json.dumps(
                {"properties": [build_property("Height", extendConfig='{"identifier":"Height"}')]}
            ),
        },
        "the property has another identifier",
        lambda platform, request, response: (
            read_draft_properties(platform, request["ProductKey"]) == ["Height"]
        ),
        invalid=[
            ({"ThingModelJson": "{no"}, INVALID_MODEL),
            ({"FunctionBlockName": "Battery"}, "iot.common.InvalidFormattedParameter"),
        ],
        not_found=[UNKNOWN_PRODUCT, ({"Identifier": "Nothing"}, INVALID_MODEL)],
    ),
    Row(
        "QueryThingModel",
        lambda platform: {"ProductKey": create_published_model(platform), "ModelVersion": "v1"},
        "a version's features",
        lambda platform, request, response: (
            column(json.loads(response["Data"]["ThingModelJson"])["properties"], "identifier") == ["Level"]
        ),
        missing={"ProductKey": "iot.prod.NullProductKey"},
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_VERSION],
    ),
    Row(
        "CopyThingModel",
        lambda platform: {
            "SourceProductKey": create_published_model(platform),
            "SourceModelVersion": "v1",
            "TargetProductKey": create_modeled_product(platform),
        },
        "the target's draft has the source's features",
        lambda platform, request, response: (
            read_draft_properties(platform, request["TargetProductKey"]) == ["Level"]
        ),
        invalid=[
            (
                lambda platform, request: {"TargetProductKey": platform.create_product()},
                "iot.prod.NotSeniorProduct",
            )
        ],
        not_found=[
            ({"SourceProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct"),
            ({"TargetProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct"),
            ({"SourceModelVersion": "v9"}, "iot.common.InvalidFormattedParameter"),
        ],
    ),
    Row(
        "PublishThingModel",
        lambda platform: {
            "ProductKey": create_draft(platform),
            "ModelVersion": "v2",
            "Description": "second",
        },
        "the draft is published",
        lambda platform, request, response: (
            read_published_properties(platform, request["ProductKey"]) == ["Level"]
        ),
        invalid=[({"ModelVersion": "v 2"}, "iot.common.InvalidFormattedParameter"), WITHOUT_MODEL],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "DeleteThingModel",
        lambda platform: {"ProductKey": create_draft(platform), "PropertyIdentifier": ["Level"]},
        "the draft has no properties",
        lambda platform, request, response: read_draft_properties(platform, request["ProductKey"]) == [],
        missing={
            "ProductKey": "iot.prod.NullProductKey",
            "PropertyIdentifier": "iot.common.InvalidFormattedParameter",
        },
        invalid=[
            ({"PropertyIdentifier": [f"P{n}" for n in range(11)]}, "iot.common.InvalidFormattedParameter")
        ],
        not_found=[UNKNOWN_PRODUCT, ({"PropertyIdentifier": ["Nothing"]}, INVALID_MODEL)],
    ),
    Row(
        "ListThingTemplates",
        lambda platform: {},
        "at least ten categories",
        lambda platform, request, response: (
            len(response["Data"]) >= 10 and "Lighting" in column(response["Data"], "CategoryKey")
        ),
    ),
    Row(
        "GetThingTemplate",
        lambda platform: {"CategoryKey": "Lighting"},
        "a category's features",
        lambda platform, request, response: json.loads(response["ThingModelJSON"])["properties"],
        not_found=[({"CategoryKey": "Spaceship"}, "iot.prod.InvalidFormattedCatId")],
        other_account_code=None,  # all accounts can read templates
    ),
    Row(
        "ListThingModelVersion",
        lambda platform: {"ProductKey": create_published_model(platform)},
        "the published versions",
        lambda platform, request, response: (
            column(response["Data"]["ModelVersions"], "ModelVersion") == ["v1"]
        ),
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "GetThingModelTsl",
        lambda platform: {"ProductKey": create_published_model(platform), "ModelVersion": "v1"},
        "the features as TSL",
        lambda platform, request, response: (
            column(json.loads(response["Data"]["TslStr"])["properties"], "identifier") == ["Level"]
        ),
        missing={"ProductKey": "iot.prod.NullProductKey"},
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_VERSION],
    ),
    Row(
        "ImportThingModelTsl",
        lambda platform: {
            "ProductKey": create_modeled_product(platform),
            "TslStr": platform.call("GetThingModelTsl", ProductKey=create_published_model(platform))["Data"][
                "TslStr"
            ],
        },
        "the draft has another product's features",
        lambda platform, request, response: (
            read_draft_properties(platform, request["ProductKey"]) == ["Level"]
        ),
        missing={"TslStr": "iot.common.InvalidFormattedParameter"},
        invalid=[
            ({"TslStr": "{no"}, INVALID_MODEL),
            ({"TslStr": json.dumps(LARGE_TSL)}, "iot.common.UpdateThingModelOverLimit"),
        ],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "QueryThingModelPublished",
        lambda platform: {"ProductKey": create_published_model(platform), "ModelVersion": "v1"},
        "the published features",
        lambda platform, request, response: (
            column(json.loads(response["Data"]["ThingModelJson"])["properties"], "identifier") == ["Level"]
        ),
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_VERSION],
    ),
    Row(
        "GetThingModelTslPublished",
        lambda platform: {"ProductKey": create_published_model(platform), "Simple": True},
        "the published features as TSL",
        lambda platform, request, response: (
            column(json.loads(response["Data"]["TslStr"])["properties"], "identifier") == ["Level"]
        ),
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_VERSION],
    ),
    Row(
        "QueryThingModelExtendConfig",
        lambda platform: {"ProductKey": create_draft(platform)},
        "the extended settings of the draft",
        lambda platform, request, response: "Level" in response["Data"]["Configuration"],
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_VERSION],
    ),
    Row(
        "QueryThingModelExtendConfigPublished",
        lambda platform: {"ProductKey": create_published_model(platform)},
        "the published extended settings",
        lambda platform, request, response: "Level" in response["Data"]["Configuration"],
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_VERSION],
    ),
    Row(
        "CreateThingScript",
        lambda platform: {
            "ProductKey": create_modeled_product(platform, DataFormat=0),
            "ScriptContent": SCRIPT,
            "ScriptType": "JavaScript",
        },
        "the script has its language",
        lambda platform, request, response: (
            platform.call("GetThingScript", ProductKey=request["ProductKey"])["Data"]["ScriptType"]
            == "JavaScript"
        ),
        invalid=[
            ({"ScriptType": "Perl"}, "iot.prod.InvalidScriptType"),
            (
                lambda platform, request: {"ProductKey": create_modeled_product(platform)},
                "iot.prod.ThingScriptDataFormatError",
            ),
            (
                lambda platform, request: {"ProductKey": create_script(platform)},
                "iot.prod.ThingScriptExisted",
            ),
        ],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "UpdateThingScript",
        lambda platform: {
            "ProductKey": create_script(platform),
            "ScriptContent": "<?php",
            "ScriptType": "PHP_72",
        },
        "the language changes",
        lambda platform, request, response: (
            platform.call("GetThingScript", ProductKey=request["ProductKey"])["Data"]["ScriptType"]
            == "PHP_72"
        ),
        invalid=[({"ScriptType": "Perl"}, "iot.prod.InvalidScriptType")],
        not_found=[
            UNKNOWN_PRODUCT,
            (
                lambda platform, request: {"ProductKey": create_modeled_product(platform, DataFormat=0)},
                "iot.common.FileNotExist",
            ),
        ],
    ),
    Row(
        "GetThingScript",
        lambda platform: {"ProductKey": create_script(platform)},
        "the language and the download URL",
        lambda platform, request, response: response["Data"]["ScriptUrl"].startswith(
            f"http://{platform.server.address}/oss/"
        ),
        not_found=[
            UNKNOWN_PRODUCT,
            (
                lambda platform, request: {"ProductKey": create_modeled_product(platform, DataFormat=0)},
                "iot.common.FileNotExist",
            ),
        ],
    ),
]
