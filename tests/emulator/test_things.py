"""Thing models: edited as drafts, published as versions, in both notations, from templates, copied and imported."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.emulator.thing_world import ARRAY, LISTED, SAMPLE, STRUCTURED, Things, event, param, prop, service


@pytest.fixture
def things(api, emulator, clock) -> Things:
    return Things(api, emulator, clock)


def identifiers(features: list[dict[str, Any]]) -> list[str]:
    return [feature["identifier"] for feature in features]


# --- features


def test_created_features_are_in_the_draft_and_not_in_what_is_published(things):
    key = things.product()
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=SAMPLE)
    draft = things.draft(key)
    assert identifiers(draft["properties"]) == ["Level", "Measured", "Label", "Switch", "Mode"]
    assert identifiers(draft["services"]) == ["Move", "Restart"]
    assert identifiers(draft["events"]) == ["Told", "Broken"]
    assert draft["productKey"] == draft["properties"][0]["productKey"] == key
    assert draft["properties"][0] | {"createTs": 0, "description": ""} == {
        "identifier": "Level", "name": "Level", "dataType": "INT", "rwFlag": "READ_WRITE", "productKey": key,
        "dataSpecs": {"dataType": "INT", "custom": True, "min": "0", "max": "100", "step": "1", "unit": "%"},
        "required": False, "custom": True, "customFlag": True, "std": False, "createTs": 0, "description": "",
    }  # fmt: skip
    assert "_ppk" not in draft
    published = things.call("QueryThingModelPublished", ProductKey=key)["Data"]["ThingModelJson"]
    assert json.loads(published)["properties"] == []


def test_the_fields_of_a_model_are_sorted_by_name(things):
    key = things.modelled()
    text = things.call("QueryThingModel", ProductKey=key)["Data"]["ThingModelJson"]
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_features_come_in_the_order_of_their_definition(things):
    key = things.product()
    for identifier, created in (("Late", 1_500_000_000_000), ("Early", 1_400_000_000_000)):
        model = {"properties": [prop(identifier, createTs=created)]}
        things.call("CreateThingModel", ProductKey=key, ThingModelJson=model)
    assert identifiers(things.draft(key)["properties"]) == ["Early", "Late"]


@pytest.mark.parametrize(
    "bad",
    [
        prop("a-b"),
        prop("x" * 51),
        prop("value"),
        prop("A", name="_x"),
        prop("A", name="x" * 31),
        prop("A", "NUMBER"),
        prop("A", rwFlag="RW"),
        prop("A", dataSpecs={"min": "5", "max": "1", "step": "1"}),
        prop("A", dataSpecs={"min": "0", "max": "1"}),
        prop("A", dataSpecs={"min": "0", "max": "10", "step": "0"}),
        prop("A", dataSpecs={"min": "0", "max": "10", "step": "11"}),
        prop("A", dataSpecs={"min": "0.5", "max": "10", "step": "1"}),
        prop("A", dataSpecs={"min": "0", "max": "9999999999", "step": "1"}),
        prop("A", "FLOAT", dataSpecs={"min": "0", "max": "NaN", "step": "1"}),
        prop("A", "TEXT", dataSpecs={"length": 2049}),
        prop("A", "BOOL", dataSpecsList=LISTED["ENUM"]),
        prop("A", "ENUM", dataSpecsList=[]),
        prop("A", "ENUM", dataSpecsList=[{"name": "x" * 21, "value": 1}]),
        prop("A", "ENUM", dataSpecsList=[{"name": "a", "value": 1}, {"name": "b", "value": 1}]),
        prop("A", "ARRAY", dataSpecs={**ARRAY, "childDataType": "BOOL"}),
        prop("A", "ARRAY", dataSpecs={**ARRAY, "size": 0}),
        prop("A", "STRUCT", dataSpecsList=[{**LISTED["STRUCT"][0], "childDataType": "STRUCT"}]),
        prop("A", extendConfig="{"),
    ],
    ids=lambda feature: json.dumps(feature)[:60],
)
def test_a_property_that_breaks_the_rules_is_refused(things, bad):
    key = things.product()
    code = things.refused("CreateThingModel", ProductKey=key, ThingModelJson={"properties": [bad]})
    assert code == "iot.prod.BatchCreateThingModelFailed"
    assert things.draft(key)["properties"] == []


@pytest.mark.parametrize(
    "bad",
    [
        {"services": [service("A", "LATER")]},
        {"services": [service("A", inputs=[param("x", direction="PARAM_OUTPUT")])]},
        {"services": [service("A", inputs=[param("x"), param("y", order=0)])]},
        {"services": [service("A", inputs=[param(f"p{n}", order=n) for n in range(51)])]},
        {"events": [event("A", "LOUD")]},
        {"events": [event("post")]},
        {"properties": [prop(f"p{n}") for n in range(11)]},
        {"properties": []},
        {"properties": 1},
    ],
    ids=lambda model: json.dumps(model)[:60],
)
def test_a_model_that_breaks_the_rules_is_refused(things, bad):
    code = things.refused("CreateThingModel", ProductKey=things.product(), ThingModelJson=bad)
    assert code == "iot.prod.BatchCreateThingModelFailed"


def test_what_is_not_json_is_refused(things):
    code = things.refused("CreateThingModel", ProductKey=things.product(), ThingModelJson="{no")
    assert code == "iot.prod.BatchCreateThingModelFailed"


def test_identifiers_and_names_are_unique(things):
    key = things.modelled()
    for twin in (prop("Level", name="Other"), prop("Other", name="Level")):
        model = {"properties": [twin]}
        code = things.refused("CreateThingModel", ProductKey=key, ThingModelJson=model)
        assert code == "iot.prod.ThingModelNameDuplicated"


def test_structures_and_arrays_are_kept_whole(things):
    key = things.product()
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=STRUCTURED)
    _, place, row = things.draft(key)["properties"]
    assert [member["childDataType"] for member in place["dataSpecsList"]] == ["FLOAT", "BOOL"]
    assert place["dataSpecsList"][0]["dataSpecs"]["step"] == "0.01"
    assert row["dataSpecs"]["childDataType"] == "INT"
    assert row["dataSpecs"]["dataSpecs"]["max"] == "9"


# --- changing and deleting


def test_an_update_changes_what_it_says_and_leaves_the_rest(things):
    key = things.product()
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=SAMPLE)
    change = {"properties": [{"identifier": "Level", "name": "Fill"}]}
    things.call("UpdateThingModel", ProductKey=key, ThingModelJson=change)
    level = things.draft(key)["properties"][0]
    assert (level["name"], level["dataSpecs"]["max"]) == ("Fill", "100")
    change = {"properties": [{"identifier": "Height"}]}
    things.call("UpdateThingModel", ProductKey=key, Identifier="Level", ThingModelJson=change)
    assert "Height" in identifiers(things.draft(key)["properties"])
    assert "Level" not in identifiers(things.draft(key)["properties"])


def test_an_update_changes_a_data_type(things):
    key = things.modelled()
    things.call(
        "UpdateThingModel",
        ProductKey=key,
        ThingModelJson={"properties": [prop("Level", "BOOL", dataSpecsList=LISTED["BOOL"])]},
    )
    level = next(p for p in things.draft(key)["properties"] if p["identifier"] == "Level")
    assert level["dataType"] == "BOOL"
    assert "dataSpecs" not in level


@pytest.mark.parametrize(
    "change",
    [
        {"properties": [prop("Nowhere")]},
        {"properties": [prop("Level"), prop("Label", "TEXT")]},
        {"properties": [{"identifier": "Level", "rwFlag": "?"}]},
        {},
    ],
)
def test_an_update_of_one_known_feature_only(things, change):
    code = things.refused("UpdateThingModel", ProductKey=things.modelled(), ThingModelJson=change)
    assert code == "iot.prod.BatchCreateThingModelFailed"


def test_deleted_features_are_gone_from_the_draft(things):
    key = things.modelled()
    things.call(
        "DeleteThingModel",
        ProductKey=key,
        PropertyIdentifier=["Level", "Label"],
        ServiceIdentifier=["Move"],
        EventIdentifier=["Told"],
    )
    draft = things.draft(key)
    assert identifiers(draft["properties"]) == ["Measured", "Switch", "Mode"]
    assert identifiers(draft["services"]) == ["Restart"]
    assert identifiers(draft["events"]) == ["Broken"]
    assert "Level" in identifiers(things.draft(key, ModelVersion="v1")["properties"])


def test_deleting_names_something_that_is_there(things):
    key = things.modelled()
    assert things.refused("DeleteThingModel", ProductKey=key) == "iot.common.InvalidFormattedParameter"
    code = things.refused("DeleteThingModel", ProductKey=key, PropertyIdentifier=["No"])
    assert code == "iot.prod.BatchCreateThingModelFailed"
    assert things.refused("DeleteThingModel", PropertyIdentifier=["Level"]) == "iot.prod.NullProductKey"


# --- modules


def test_a_module_is_made_with_its_first_features_and_read_by_its_id(things):
    key = things.product()
    module = {"FunctionBlockId": "Battery", "FunctionBlockName": "Battery_Module"}
    things.call("CreateThingModel", ProductKey=key, ThingModelJson={"properties": [prop("Charge")]}, **module)
    things.call("CreateThingModel", ProductKey=key, ThingModelJson={"properties": [prop("Level")]})
    default, battery = things.draft(key), things.draft(key, FunctionBlockId="Battery")
    assert identifiers(default["properties"]) == ["Level"]
    assert default["functionBlocks"] == [
        {"productKey": key, "functionBlockId": "Battery", "functionBlockName": "Battery_Module"}
    ]
    assert identifiers(battery["properties"]) == ["Charge"]
    assert (battery["identifier"], battery["name"]) == ("Battery", "Battery_Module")
    tsl = things.tsl(key, FunctionBlockId="Battery")
    assert tsl["functionBlockId"] == "Battery"
    assert tsl["events"][0]["method"] == "thing.event.Battery:property.post"


def test_a_module_is_renamed_and_deleted_whole(things):
    key = things.product()
    module = {"FunctionBlockId": "Battery", "FunctionBlockName": "Battery_Module"}
    things.call("CreateThingModel", ProductKey=key, ThingModelJson={"properties": [prop("Charge")]}, **module)
    things.call("UpdateThingModel", ProductKey=key, FunctionBlockId="Battery", FunctionBlockName="Accu_Pack")
    assert things.draft(key)["functionBlocks"][0]["functionBlockName"] == "Accu_Pack"
    things.call("DeleteThingModel", ProductKey=key, FunctionBlockId="Battery")
    assert "functionBlocks" not in things.draft(key)
    code = things.refused("QueryThingModel", ProductKey=key, FunctionBlockId="Battery")
    assert code == "iot.common.InvalidFormattedParameter"


def test_a_module_needs_its_id_and_its_name(things):
    key = things.product()
    model = {"properties": [prop("Charge")]}
    for half in ({"FunctionBlockId": "Battery"}, {"FunctionBlockName": "Battery_Module"}):
        code = things.refused("CreateThingModel", ProductKey=key, ThingModelJson=model, **half)
        assert code == "iot.common.InvalidFormattedParameter"


# --- versions


def test_versions_are_listed_newest_first_and_kept(things, clock):
    key = things.modelled()
    clock.advance(60)
    things.call("DeleteThingModel", ProductKey=key, PropertyIdentifier=["Level"])
    things.call("PublishThingModel", ProductKey=key, ModelVersion="v2", Description="no level")
    listed = things.call("ListThingModelVersion", ProductKey=key)["Data"]["ModelVersions"]
    assert [(v["ModelVersion"], v["Description"]) for v in listed] == [("v2", "no level"), ("v1", "")]
    assert listed[0]["GmtCreate"] - listed[1]["GmtCreate"] == 60_000

    def published(**params: Any) -> dict[str, Any]:
        text = things.call("QueryThingModelPublished", ProductKey=key, **params)["Data"]["ThingModelJson"]
        return json.loads(text)

    assert published()["_ppk"] == {"version": "v2", "description": "no level"}
    assert "Level" not in identifiers(published()["properties"])
    assert "Level" in identifiers(published(ModelVersion="v1")["properties"])


def test_a_version_without_a_number_gets_the_time_as_one(things, clock):
    key = things.product()
    things.call("PublishThingModel", ProductKey=key)
    listed = things.call("ListThingModelVersion", ProductKey=key)["Data"]["ModelVersions"]
    assert listed[0]["ModelVersion"] == str(clock.now())


def test_a_version_is_published_once_and_has_a_proper_number(things):
    key = things.modelled()
    for bad in ("v1", "v_1", "x" * 17):
        code = things.refused("PublishThingModel", ProductKey=key, ModelVersion=bad)
        assert code == "iot.common.InvalidFormattedParameter"


@pytest.mark.parametrize(
    "operation",
    [
        "QueryThingModel",
        "QueryThingModelPublished",
        "GetThingModelTsl",
        "GetThingModelTslPublished",
        "QueryThingModelExtendConfig",
        "QueryThingModelExtendConfigPublished",
    ],
)
def test_a_version_that_is_not_there_is_refused(things, operation):
    code = things.refused(operation, ProductKey=things.modelled(), ModelVersion="v9")
    assert code == "iot.common.InvalidFormattedParameter"


def test_a_published_product_cannot_be_edited(things):
    key = things.modelled()
    source = things.modelled("Source_One")
    things.call("ReleaseProduct", ProductKey=key)
    edits: list[tuple[str, dict[str, Any]]] = [
        ("CreateThingModel", {"ThingModelJson": {"properties": [prop("New")]}}),
        ("UpdateThingModel", {"ThingModelJson": {"properties": [prop("Level")]}}),
        ("DeleteThingModel", {"PropertyIdentifier": ["Level"]}),
        ("ImportThingModelTsl", {"TslStr": {"properties": []}}),
        ("PublishThingModel", {}),
    ]
    for operation, params in edits:
        assert things.refused(operation, ProductKey=key, **params) == "iot.prod.UpdateProductFailed", (
            operation
        )
    code = things.refused("CopyThingModel", SourceProductKey=source, TargetProductKey=key)
    assert code == "iot.prod.UpdateProductFailed"
    things.call("CancelReleaseProduct", ProductKey=key)
    things.call("PublishThingModel", ProductKey=key, ModelVersion="v2")


# --- TSL


def test_tsl_carries_what_every_device_has(things):
    key = things.modelled()
    tsl = things.tsl(key, ModelVersion="v1")
    assert tsl["profile"] == {"productKey": key, "version": "v1"}
    assert tsl["properties"][0] == {
        "identifier": "Level", "name": "Level", "accessMode": "rw", "required": False,
        "dataType": {"type": "int", "specs": {"min": "0", "max": "100", "unit": "%", "step": "1"}},
    }  # fmt: skip
    assert tsl["properties"][3]["dataType"] == {"type": "bool", "specs": {"0": "Off", "1": "On"}}
    assert identifiers(tsl["events"]) == ["post", "Told", "Broken"]
    assert tsl["events"][0]["method"] == "thing.event.property.post"
    assert identifiers(tsl["events"][0]["outputData"]) == identifiers(tsl["properties"])
    assert identifiers(tsl["services"]) == ["set", "get", "Move", "Restart"]
    assert identifiers(tsl["services"][0]["inputData"]) == ["Level", "Label", "Switch", "Mode"]
    assert tsl["services"][1]["inputData"] == identifiers(tsl["properties"])
    assert tsl["services"][2]["callType"] == "sync"
    assert tsl["services"][2]["method"] == "thing.service.Move"


def test_simple_tsl_has_identifiers_and_types_only(things):
    tsl = things.tsl(things.modelled(), Simple=True)
    assert set(tsl["properties"][0]) == {"identifier", "dataType"}
    assert set(tsl["services"][2]) == {"identifier", "inputData", "outputData"}
    assert set(tsl["services"][2]["inputData"][0]) == {"identifier", "dataType"}


def test_tsl_can_be_fetched_from_its_address_for_an_hour(things, emulator, clock):
    answer = things.call("GetThingModelTslPublished", ProductKey=things.modelled())["Data"]
    http = httpx.Client(transport=httpx.WSGITransport(app=emulator))
    assert http.get(answer["TslUri"]).text == answer["TslStr"]
    clock.advance(3601)
    assert http.get(answer["TslUri"]).status_code == 403


def test_exported_tsl_imports_as_the_same_model(things):
    source, target = things.product("Source_One"), things.product("Target_One")
    for model in (SAMPLE, STRUCTURED):
        things.call("CreateThingModel", ProductKey=source, ThingModelJson=model)
    exported = things.call("GetThingModelTsl", ProductKey=source)["Data"]["TslStr"]
    things.call("ImportThingModelTsl", ProductKey=target, TslStr=exported)
    assert things.tsl(target) | {"profile": 0} == json.loads(exported) | {"profile": 0}


@pytest.mark.parametrize(
    "bad",
    [
        "[]",
        "{",
        {"properties": [{"identifier": "a b"}]},
        {"properties": [{"identifier": "A", "name": "A", "accessMode": "rw", "dataType": {"type": "int"}}]},
        {"services": [{"identifier": "A", "name": "A", "callType": "?"}]},
        {"events": [{"identifier": "A", "name": "A", "type": "?"}]},
    ],
    ids=str,
)
def test_bad_tsl_is_refused(things, bad):
    code = things.refused("ImportThingModelTsl", ProductKey=things.product(), TslStr=bad)
    assert code == "iot.prod.BatchCreateThingModelFailed"


def test_tsl_is_limited_in_size_and_its_address_alone_does_nothing(things):
    key = things.product()
    long = json.dumps({"properties": [], "padding": "x" * 262_144})
    code = things.refused("ImportThingModelTsl", ProductKey=key, TslStr=long)
    assert code == "iot.common.UpdateThingModelOverLimit"
    code = things.refused("ImportThingModelTsl", ProductKey=key, TslUrl="http://example.com/model.json")
    assert code == "iot.common.InvalidFormattedParameter"


def test_importing_replaces_one_module_only(things):
    key = things.product()
    module = {"FunctionBlockId": "Battery", "FunctionBlockName": "Battery_Module"}
    things.call("CreateThingModel", ProductKey=key, ThingModelJson={"properties": [prop("Level")]})
    tsl = {
        "properties": [
            {"identifier": "Charge", "name": "Charge", "accessMode": "r", "dataType": {"type": "date"}}
        ]
    }
    things.call("ImportThingModelTsl", ProductKey=key, TslStr=tsl, **module)
    assert identifiers(things.draft(key)["properties"]) == ["Level"]
    assert identifiers(things.draft(key, FunctionBlockId="Battery")["properties"]) == ["Charge"]


# --- copying


def test_a_version_is_copied_into_the_draft_of_another_product(things):
    source, target = things.modelled("Source_One"), things.product("Target_One")
    things.call("DeleteThingModel", ProductKey=source, PropertyIdentifier=["Level"])
    things.call("CopyThingModel", SourceProductKey=source, TargetProductKey=target, SourceModelVersion="v1")
    assert identifiers(things.draft(target)["properties"]) == ["Level", "Measured", "Label", "Switch", "Mode"]
    assert things.draft(target)["properties"][0]["productKey"] == target
    assert things.call("ListThingModelVersion", ProductKey=target)["Data"]["ModelVersions"] == []


def test_models_are_copied_within_a_category(things):
    source, target = things.product("Source_One", CategoryKey="Lighting"), things.product("Target_One")
    params = {"SourceProductKey": source, "TargetProductKey": target}
    assert things.refused("CopyThingModel", **params) == "iot.prod.InvalidFormattedCatId"
    same = things.product("Target_Two")
    params = {"SourceProductKey": target, "TargetProductKey": same, "SourceModelVersion": "v7"}
    assert things.refused("CopyThingModel", **params) == "iot.common.InvalidFormattedParameter"


# --- templates


def test_there_are_templates_of_many_categories_and_each_can_be_read(things):
    listed = things.call("ListThingTemplates")["Data"]
    assert len(listed) >= 10
    assert {"CategoryKey": "Lighting", "CategoryName": "Street Lamp"} in listed
    for category in listed:
        model = json.loads(
            things.call("GetThingTemplate", CategoryKey=category["CategoryKey"])["ThingModelJSON"]
        )
        assert model["properties"], category
        assert all(feature["custom"] is False for features in model.values() for feature in features)


def test_a_template_of_no_category_is_refused(things):
    assert things.refused("GetThingTemplate", CategoryKey="Spaceship") == "iot.prod.InvalidFormattedCatId"
    assert things.refused("GetThingTemplate") == "MissingCategoryKey"


@pytest.mark.parametrize("auto", [True, False])
def test_a_product_of_a_category_starts_with_its_model(things, auto):
    key = things.product(CategoryKey="ElectricityMeter", PublishAuto=auto)
    assert "TotalActiveEnergy" in identifiers(things.draft(key)["properties"])
    versions = things.call("ListThingModelVersion", ProductKey=key)["Data"]["ModelVersions"]
    assert len(versions) == int(auto)
    product = things.call("QueryProduct", ProductKey=key)["Data"]
    assert (product["CategoryKey"], product["CategoryName"]) == ("ElectricityMeter", "Electricity Meter")


def test_a_product_of_no_known_category_is_refused(things):
    code = things.refused("CreateProduct", ProductName="Ship_One", NodeType=0, CategoryKey="Spaceship")
    assert code == "iot.prod.InvalidFormattedCatId"


def test_every_template_survives_import(things):
    for number, category in enumerate(things.call("ListThingTemplates")["Data"]):
        source = things.product(f"Source_{number}", CategoryKey=category["CategoryKey"])
        target = things.product(f"Target_{number}", CategoryKey=category["CategoryKey"], PublishAuto=False)
        exported = things.call("GetThingModelTsl", ProductKey=source)["Data"]["TslStr"]
        things.call("ImportThingModelTsl", ProductKey=target, TslStr=exported)
        assert things.tsl(target)["properties"] == json.loads(exported)["properties"]


# --- extended information

MODBUS = {
    "identifier": "Level",
    "registerAddress": "0xFE",
    "operateType": "holdingRegister",
    "writeFunctionCode": 6,
    "writeOnly": 0,
    "scaling": 0.1,
    "pollingTime": 1000,
    "trigger": 1,
    "originalDataType": {"type": "uint16", "specs": {"swap": 0}},
}


def test_extended_information_is_handed_out_as_it_was_given(things):
    key = things.product(ProtocolType="modbus")
    model = {"properties": [prop("Level", extendConfig=json.dumps(MODBUS))]}
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=model)
    assert things.draft(key)["properties"][0]["configCode"]
    things.call("PublishThingModel", ProductKey=key, ModelVersion="v1")
    for operation in ("QueryThingModelExtendConfig", "QueryThingModelExtendConfigPublished"):
        configuration = json.loads(things.call(operation, ProductKey=key)["Data"]["Configuration"])
        assert configuration == {"profile": {"productKey": key}, "properties": [MODBUS]}


@pytest.mark.parametrize(
    "change",
    [
        {"identifier": "Other"},
        {"registerAddress": "FE"},
        {"registerAddress": "0x10000"},
        {"operateType": "register"},
        {"writeFunctionCode": 5},
        {"scaling": 0},
        {"trigger": 3},
        {"bitMask": 3},
        {"originalDataType": {"type": "int8"}},
    ],
    ids=str,
)
def test_extended_information_fits_the_protocol(things, change):
    key = things.product(ProtocolType="modbus")
    model = {"properties": [prop("Level", extendConfig=json.dumps({**MODBUS, **change}))]}
    code = things.refused("CreateThingModel", ProductKey=key, ThingModelJson=model)
    assert code == "iot.prod.BatchCreateThingModelFailed"


# --- scripts

SCRIPT = "function protocolToRawData(json) { return []; } function rawDataToProtocol(raw) { return {}; }"


def test_a_script_is_kept_replaced_and_read_from_its_address(things, emulator):
    key = things.product(DataFormat=0)
    script = {"ProductKey": key, "ScriptContent": SCRIPT, "ScriptType": "JavaScript"}
    things.call("CreateThingScript", **script)
    http = httpx.Client(transport=httpx.WSGITransport(app=emulator))
    answer = things.call("GetThingScript", ProductKey=key)["Data"]
    assert (answer["ScriptType"], http.get(answer["ScriptUrl"]).text) == ("JavaScript", SCRIPT)
    assert things.refused("CreateThingScript", **script) == "iot.prod.ThingScriptExisted"
    things.call("UpdateThingScript", ProductKey=key, ScriptContent="# …", ScriptType="Python_27")
    answer = things.call("GetThingScript", ProductKey=key)["Data"]
    assert (answer["ScriptType"], http.get(answer["ScriptUrl"]).content) == ("Python_27", "# …".encode())


def test_a_script_needs_a_product_with_its_own_format_and_a_known_language(things):
    script = {"ScriptContent": SCRIPT, "ScriptType": "JavaScript"}
    code = things.refused("CreateThingScript", ProductKey=things.product(), **script)
    assert code == "iot.prod.ThingScriptDataFormatError"
    raw = things.product("Raw_One", DataFormat=0)
    code = things.refused("CreateThingScript", ProductKey=raw, ScriptContent="x", ScriptType="Perl")
    assert code == "iot.prod.InvalidScriptType"
    assert things.refused("GetThingScript", ProductKey=raw) == "iot.common.FileNotExist"
    assert things.refused("UpdateThingScript", ProductKey=raw, **script) == "iot.common.FileNotExist"


# --- all of them

CALLS: dict[str, dict[str, Any]] = {
    "CreateThingModel": {"ThingModelJson": {"properties": [prop("New")]}},
    "UpdateThingModel": {"ThingModelJson": {"properties": [prop("Level")]}},
    "DeleteThingModel": {"PropertyIdentifier": ["Level"]},
    "ImportThingModelTsl": {"TslStr": {"properties": []}},
    "PublishThingModel": {},
    "QueryThingModel": {},
    "QueryThingModelPublished": {},
    "GetThingModelTsl": {},
    "GetThingModelTslPublished": {},
    "ListThingModelVersion": {},
    "QueryThingModelExtendConfig": {},
    "QueryThingModelExtendConfigPublished": {},
    "CreateThingScript": {"ScriptContent": "x", "ScriptType": "JavaScript"},
    "UpdateThingScript": {"ScriptContent": "x", "ScriptType": "JavaScript"},
    "GetThingScript": {},
}
OPTIONAL = {"QueryThingModel", "GetThingModelTsl", "DeleteThingModel"}


@pytest.mark.parametrize("operation", CALLS)
def test_the_product_is_named_there_and_has_a_model(things, other_api, operation):
    params = CALLS[operation]
    missing = "iot.prod.NullProductKey" if operation in OPTIONAL else "MissingProductKey"
    assert things.refused(operation, **params) == missing
    assert things.refused(operation, ProductKey="a1nowhere", **params) == "iot.prod.NotExistedProduct"
    basic = things.api.create_product("Basic_One")
    assert things.refused(operation, ProductKey=basic, **params) == "iot.prod.NotSeniorProduct"
    key = things.modelled()
    assert other_api.error_code(operation, ProductKey=key, **params) == "iot.prod.NotExistedProduct"


def test_copying_names_two_products_that_are_there(things):
    key = things.modelled()
    assert things.refused("CopyThingModel", SourceProductKey=key) == "MissingTargetProductKey"
    assert things.refused("CopyThingModel", TargetProductKey=key) == "MissingSourceProductKey"
    params = {"SourceProductKey": "a1nowhere", "TargetProductKey": key}
    assert things.refused("CopyThingModel", **params) == "iot.prod.NotExistedProduct"


def test_a_model_goes_with_its_product(things, emulator):
    key = things.modelled()
    things.call("DeleteProduct", ProductKey=key)
    with emulator.store.read() as db:
        assert db.execute("SELECT count(*) FROM thing_versions").fetchone()[0] == 0
        assert db.execute("SELECT count(*) FROM thing_drafts").fetchone()[0] == 0
