"""Thing models: editing drafts, publishing versions, both notations, templates, copying and importing."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.iot_emulator.thing_setup import (
    ARRAY,
    LISTED,
    SAMPLE,
    STRUCTURED,
    ThingSetup,
    build_event,
    build_parameter,
    build_property,
    build_service,
)


@pytest.fixture
def things(api, emulator, clock) -> ThingSetup:
    return ThingSetup(api, emulator, clock)


def read_identifiers(features: list[dict[str, Any]]) -> list[str]:
    return [feature["identifier"] for feature in features]


# --- features


def test_created_features_are_in_the_draft_and_not_published(things):
    key = things.create_product()
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=SAMPLE)
    draft = things.read_draft(key)
    assert read_identifiers(draft["properties"]) == ["Level", "Measured", "Label", "Switch", "Mode"]
    assert read_identifiers(draft["services"]) == ["Move", "Restart"]
    assert read_identifiers(draft["events"]) == ["Reported", "Broken"]
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
    key = things.create_modeled_product()
    text = things.call("QueryThingModel", ProductKey=key)["Data"]["ThingModelJson"]
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_features_are_sorted_by_their_time_of_definition(things):
    key = things.create_product()
    for identifier, created in (("Late", 1_500_000_000_000), ("Early", 1_400_000_000_000)):
        model = {"properties": [build_property(identifier, createTs=created)]}
        things.call("CreateThingModel", ProductKey=key, ThingModelJson=model)
    assert read_identifiers(things.read_draft(key)["properties"]) == ["Early", "Late"]


@pytest.mark.parametrize(
    "bad",
    [
        build_property("a-b"),
        build_property("x" * 51),
        build_property("value"),
        build_property("A", name="_x"),
        build_property("A", name="x" * 31),
        build_property("A", "NUMBER"),
        build_property("A", rwFlag="RW"),
        build_property("A", dataSpecs={"min": "5", "max": "1", "step": "1"}),
        build_property("A", dataSpecs={"min": "0", "max": "1"}),
        build_property("A", dataSpecs={"min": "0", "max": "10", "step": "0"}),
        build_property("A", dataSpecs={"min": "0", "max": "10", "step": "11"}),
        build_property("A", dataSpecs={"min": "0.5", "max": "10", "step": "1"}),
        build_property("A", dataSpecs={"min": "0", "max": "9999999999", "step": "1"}),
        build_property("A", "FLOAT", dataSpecs={"min": "0", "max": "NaN", "step": "1"}),
        build_property("A", "TEXT", dataSpecs={"length": 2049}),
        build_property("A", "BOOL", dataSpecsList=LISTED["ENUM"]),
        build_property("A", "ENUM", dataSpecsList=[]),
        build_property("A", "ENUM", dataSpecsList=[{"name": "x" * 21, "value": 1}]),
        build_property("A", "ENUM", dataSpecsList=[{"name": "a", "value": 1}, {"name": "b", "value": 1}]),
        build_property("A", "ARRAY", dataSpecs={**ARRAY, "childDataType": "BOOL"}),
        build_property("A", "ARRAY", dataSpecs={**ARRAY, "size": 0}),
        build_property("A", "STRUCT", dataSpecsList=[{**LISTED["STRUCT"][0], "childDataType": "STRUCT"}]),
        build_property("A", extendConfig="{"),
    ],
    ids=lambda feature: json.dumps(feature)[:60],
)
def test_a_property_that_breaks_the_rules_is_refused(things, bad):
    key = things.create_product()
    code = things.error_code("CreateThingModel", ProductKey=key, ThingModelJson={"properties": [bad]})
    assert code == "iot.prod.BatchCreateThingModelFailed"
    assert things.read_draft(key)["properties"] == []


@pytest.mark.parametrize(
    "bad",
    [
        {"services": [build_service("A", "LATER")]},
        {"services": [build_service("A", inputs=[build_parameter("x", direction="PARAM_OUTPUT")])]},
        {"services": [build_service("A", inputs=[build_parameter("x"), build_parameter("y", order=0)])]},
        {"services": [build_service("A", inputs=[build_parameter(f"p{n}", order=n) for n in range(51)])]},
        {"events": [build_event("A", "LOUD")]},
        {"events": [build_event("post")]},
        {"properties": [build_property(f"p{n}") for n in range(11)]},
        {"properties": []},
        {"properties": 1},
    ],
    ids=lambda model: json.dumps(model)[:60],
)
def test_a_model_that_breaks_the_rules_is_refused(things, bad):
    code = things.error_code("CreateThingModel", ProductKey=things.create_product(), ThingModelJson=bad)
    assert code == "iot.prod.BatchCreateThingModelFailed"


def test_invalid_json_is_refused(things):
    code = things.error_code("CreateThingModel", ProductKey=things.create_product(), ThingModelJson="{no")
    assert code == "iot.prod.BatchCreateThingModelFailed"


def test_identifiers_and_names_are_unique(things):
    key = things.create_modeled_product()
    for twin in (build_property("Level", name="Other"), build_property("Other", name="Level")):
        model = {"properties": [twin]}
        code = things.error_code("CreateThingModel", ProductKey=key, ThingModelJson=model)
        assert code == "iot.prod.ThingModelNameDuplicated"


def test_structures_and_arrays_are_stored_completely(things):
    key = things.create_product()
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=STRUCTURED)
    _, place, row = things.read_draft(key)["properties"]
    assert [member["childDataType"] for member in place["dataSpecsList"]] == ["FLOAT", "BOOL"]
    assert place["dataSpecsList"][0]["dataSpecs"]["step"] == "0.01"
    assert row["dataSpecs"]["childDataType"] == "INT"
    assert row["dataSpecs"]["dataSpecs"]["max"] == "9"


# --- changing and deleting


def test_an_update_changes_only_the_fields_in_the_request(things):
    key = things.create_product()
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=SAMPLE)
    change = {"properties": [{"identifier": "Level", "name": "Fill"}]}
    things.call("UpdateThingModel", ProductKey=key, ThingModelJson=change)
    level = things.read_draft(key)["properties"][0]
    assert (level["name"], level["dataSpecs"]["max"]) == ("Fill", "100")
    change = {"properties": [{"identifier": "Height"}]}
    things.call("UpdateThingModel", ProductKey=key, Identifier="Level", ThingModelJson=change)
    assert "Height" in read_identifiers(things.read_draft(key)["properties"])
    assert "Level" not in read_identifiers(things.read_draft(key)["properties"])


def test_an_update_changes_a_data_type(things):
    key = things.create_modeled_product()
    things.call(
        "UpdateThingModel",
        ProductKey=key,
        ThingModelJson={"properties": [build_property("Level", "BOOL", dataSpecsList=LISTED["BOOL"])]},
    )
    level = next(p for p in things.read_draft(key)["properties"] if p["identifier"] == "Level")
    assert level["dataType"] == "BOOL"
    assert "dataSpecs" not in level


@pytest.mark.parametrize(
    "change",
    [
        {"properties": [build_property("Nowhere")]},
        {"properties": [build_property("Level"), build_property("Label", "TEXT")]},
        {"properties": [{"identifier": "Level", "rwFlag": "?"}]},
        {},
    ],
)
def test_an_update_must_change_exactly_one_known_feature(things, change):
    code = things.error_code(
        "UpdateThingModel", ProductKey=things.create_modeled_product(), ThingModelJson=change
    )
    assert code == "iot.prod.BatchCreateThingModelFailed"


def test_deleted_features_are_removed_from_the_draft(things):
    key = things.create_modeled_product()
    things.call(
        "DeleteThingModel",
        ProductKey=key,
        PropertyIdentifier=["Level", "Label"],
        ServiceIdentifier=["Move"],
        EventIdentifier=["Reported"],
    )
    draft = things.read_draft(key)
    assert read_identifiers(draft["properties"]) == ["Measured", "Switch", "Mode"]
    assert read_identifiers(draft["services"]) == ["Restart"]
    assert read_identifiers(draft["events"]) == ["Broken"]
    assert "Level" in read_identifiers(things.read_draft(key, ModelVersion="v1")["properties"])


def test_deleting_requires_existing_identifiers(things):
    key = things.create_modeled_product()
    assert things.error_code("DeleteThingModel", ProductKey=key) == "iot.common.InvalidFormattedParameter"
    code = things.error_code("DeleteThingModel", ProductKey=key, PropertyIdentifier=["No"])
    assert code == "iot.prod.BatchCreateThingModelFailed"
    assert things.error_code("DeleteThingModel", PropertyIdentifier=["Level"]) == "iot.prod.NullProductKey"


# --- modules


def test_a_module_is_created_with_its_first_features_and_read_by_its_id(things):
    key = things.create_product()
    module = {"FunctionBlockId": "Battery", "FunctionBlockName": "Battery_Module"}
    things.call(
        "CreateThingModel",
        ProductKey=key,
        ThingModelJson={"properties": [build_property("Charge")]},
        **module,
    )
    things.call("CreateThingModel", ProductKey=key, ThingModelJson={"properties": [build_property("Level")]})
    default, battery = things.read_draft(key), things.read_draft(key, FunctionBlockId="Battery")
    assert read_identifiers(default["properties"]) == ["Level"]
    assert default["functionBlocks"] == [
        {"productKey": key, "functionBlockId": "Battery", "functionBlockName": "Battery_Module"}
    ]
    assert read_identifiers(battery["properties"]) == ["Charge"]
    assert (battery["identifier"], battery["name"]) == ("Battery", "Battery_Module")
    tsl = things.read_tsl(key, FunctionBlockId="Battery")
    assert tsl["functionBlockId"] == "Battery"
    assert tsl["events"][0]["method"] == "thing.event.Battery:property.post"


def test_a_module_is_renamed_and_deleted(things):
    key = things.create_product()
    module = {"FunctionBlockId": "Battery", "FunctionBlockName": "Battery_Module"}
    things.call(
        "CreateThingModel",
        ProductKey=key,
        ThingModelJson={"properties": [build_property("Charge")]},
        **module,
    )
    things.call("UpdateThingModel", ProductKey=key, FunctionBlockId="Battery", FunctionBlockName="Accu_Pack")
    assert things.read_draft(key)["functionBlocks"][0]["functionBlockName"] == "Accu_Pack"
    things.call("DeleteThingModel", ProductKey=key, FunctionBlockId="Battery")
    assert "functionBlocks" not in things.read_draft(key)
    code = things.error_code("QueryThingModel", ProductKey=key, FunctionBlockId="Battery")
    assert code == "iot.common.InvalidFormattedParameter"


def test_a_new_module_requires_an_id_and_a_name(things):
    key = things.create_product()
    model = {"properties": [build_property("Charge")]}
    for half in ({"FunctionBlockId": "Battery"}, {"FunctionBlockName": "Battery_Module"}):
        code = things.error_code("CreateThingModel", ProductKey=key, ThingModelJson=model, **half)
        assert code == "iot.common.InvalidFormattedParameter"


# --- versions


def test_versions_are_stored_and_listed_newest_first(things, clock):
    key = things.create_modeled_product()
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
    assert "Level" not in read_identifiers(published()["properties"])
    assert "Level" in read_identifiers(published(ModelVersion="v1")["properties"])


def test_a_version_without_a_number_gets_the_time_as_its_number(things, clock):
    key = things.create_product()
    things.call("PublishThingModel", ProductKey=key)
    listed = things.call("ListThingModelVersion", ProductKey=key)["Data"]["ModelVersions"]
    assert listed[0]["ModelVersion"] == str(clock.now())


def test_a_version_number_is_unique_and_valid(things):
    key = things.create_modeled_product()
    for bad in ("v1", "v_1", "x" * 17):
        code = things.error_code("PublishThingModel", ProductKey=key, ModelVersion=bad)
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
def test_an_unknown_version_is_refused(things, operation):
    code = things.error_code(operation, ProductKey=things.create_modeled_product(), ModelVersion="v9")
    assert code == "iot.common.InvalidFormattedParameter"


def test_a_published_product_cannot_be_edited(things):
    key = things.create_modeled_product()
    source = things.create_modeled_product("Source_One")
    things.call("ReleaseProduct", ProductKey=key)
    edits: list[tuple[str, dict[str, Any]]] = [
        ("CreateThingModel", {"ThingModelJson": {"properties": [build_property("New")]}}),
        ("UpdateThingModel", {"ThingModelJson": {"properties": [build_property("Level")]}}),
        ("DeleteThingModel", {"PropertyIdentifier": ["Level"]}),
        ("ImportThingModelTsl", {"TslStr": {"properties": []}}),
        ("PublishThingModel", {}),
    ]
    for operation, params in edits:
        assert things.error_code(operation, ProductKey=key, **params) == "iot.prod.UpdateProductFailed", (
            operation
        )
    code = things.error_code("CopyThingModel", SourceProductKey=source, TargetProductKey=key)
    assert code == "iot.prod.UpdateProductFailed"
    things.call("CancelReleaseProduct", ProductKey=key)
    things.call("PublishThingModel", ProductKey=key, ModelVersion="v2")


# --- TSL


def test_tsl_contains_the_features_that_every_device_has(things):
    key = things.create_modeled_product()
    tsl = things.read_tsl(key, ModelVersion="v1")
    assert tsl["profile"] == {"productKey": key, "version": "v1"}
    assert tsl["properties"][0] == {
        "identifier": "Level", "name": "Level", "accessMode": "rw", "required": False,
        "dataType": {"type": "int", "specs": {"min": "0", "max": "100", "unit": "%", "step": "1"}},
    }  # fmt: skip
    assert tsl["properties"][3]["dataType"] == {"type": "bool", "specs": {"0": "Off", "1": "On"}}
    assert read_identifiers(tsl["events"]) == ["post", "Reported", "Broken"]
    assert tsl["events"][0]["method"] == "thing.event.property.post"
    assert read_identifiers(tsl["events"][0]["outputData"]) == read_identifiers(tsl["properties"])
    assert read_identifiers(tsl["services"]) == ["set", "get", "Move", "Restart"]
    assert read_identifiers(tsl["services"][0]["inputData"]) == ["Level", "Label", "Switch", "Mode"]
    assert tsl["services"][1]["inputData"] == read_identifiers(tsl["properties"])
    assert tsl["services"][2]["callType"] == "sync"
    assert tsl["services"][2]["method"] == "thing.service.Move"


def test_simple_tsl_has_identifiers_and_types_only(things):
    tsl = things.read_tsl(things.create_modeled_product(), Simple=True)
    assert set(tsl["properties"][0]) == {"identifier", "dataType"}
    assert set(tsl["services"][2]) == {"identifier", "inputData", "outputData"}
    assert set(tsl["services"][2]["inputData"][0]) == {"identifier", "dataType"}


def test_tsl_can_be_downloaded_for_an_hour(things, emulator, clock):
    response = things.call("GetThingModelTslPublished", ProductKey=things.create_modeled_product())["Data"]
    http = httpx.Client(transport=httpx.WSGITransport(app=emulator))
    assert http.get(response["TslUri"]).text == response["TslStr"]
    clock.advance(3601)
    assert http.get(response["TslUri"]).status_code == 403


def test_exported_tsl_imports_as_the_same_model(things):
    source, target = things.create_product("Source_One"), things.create_product("Target_One")
    for model in (SAMPLE, STRUCTURED):
        things.call("CreateThingModel", ProductKey=source, ThingModelJson=model)
    exported = things.call("GetThingModelTsl", ProductKey=source)["Data"]["TslStr"]
    things.call("ImportThingModelTsl", ProductKey=target, TslStr=exported)
    assert things.read_tsl(target) | {"profile": 0} == json.loads(exported) | {"profile": 0}


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
def test_invalid_tsl_is_refused(things, bad):
    code = things.error_code("ImportThingModelTsl", ProductKey=things.create_product(), TslStr=bad)
    assert code == "iot.prod.BatchCreateThingModelFailed"


LIMIT = 256 * 1024
NUMBER = {"type": "int", "specs": {"min": 0, "max": 100, "step": 1}}
MEMBERS = [{"identifier": f"m{n}", "name": f"m{n}", "dataType": NUMBER} for n in range(20)]
DATA_TYPES = {
    "date": {"type": "date"},
    "int": NUMBER,
    "enum": {"type": "enum", "specs": {str(n): f"Mode {n}" for n in range(50)}},
    "array": {"type": "array", "specs": {"size": 9, "item": {"type": "struct", "specs": MEMBERS}}},
    "chinese": {"type": "bool", "specs": {"0": "关闭", "1": "打开"}},
}


def build_largest_tsl(entry: dict[str, Any], kind: str) -> dict[str, Any]:
    """Build TSL of 262,144 characters, or a few less, from a feature with numbered names; descriptions fill the rest."""
    count = (LIMIT - 20) // (len(to_text({**entry, "identifier": "f00000", "name": "名00000"})) + 1)
    entries = [{**entry, "identifier": f"f{n:05}", "name": f"名{n:05}"} for n in range(count)]
    for described in entries:
        missing = LIMIT - len(to_text({kind: entries})) - len(',"desc":""')
        if missing <= 0:
            break
        described["desc"] = "d" * min(250, missing)
    return {kind: entries}


def to_text(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


LARGEST = {
    **{
        f"properties of type {name}": ("properties", {"accessMode": "rw", "dataType": data_type})
        for name, data_type in DATA_TYPES.items()
    },
    "services": ("services", {"callType": "sync", "inputData": MEMBERS, "outputData": MEMBERS}),
    "empty events": ("events", {"type": "info"}),
}


@pytest.mark.parametrize("shape", LARGEST)
def test_the_largest_models_can_be_exported_and_imported(things, shape):
    kind, entry = LARGEST[shape]
    data = build_largest_tsl(entry, kind)
    assert LIMIT - 10 <= len(to_text(data)) <= LIMIT
    source, target = things.create_product("Source_One"), things.create_product("Target_One")
    things.call("ImportThingModelTsl", ProductKey=source, TslStr=to_text(data))
    things.call("PublishThingModel", ProductKey=source)
    for operation in ("GetThingModelTsl", "GetThingModelTslPublished"):
        exported = things.call(operation, ProductKey=source)["Data"]["TslStr"]
        things.call("ImportThingModelTsl", ProductKey=target, TslStr=exported)
        assert things.read_tsl(target) | {"profile": 0} == json.loads(exported) | {"profile": 0}


@pytest.mark.parametrize("shape", LARGEST)
def test_a_larger_model_is_refused(things, shape):
    kind, entry = LARGEST[shape]
    data = build_largest_tsl(entry, kind)
    data[kind].append({**entry, "identifier": "more", "name": "more"})
    key = things.create_product()
    code = things.error_code("ImportThingModelTsl", ProductKey=key, TslStr=to_text(data))
    assert code == "iot.common.UpdateThingModelOverLimit"


def test_features_cannot_be_added_or_changed_beyond_the_limit(things):
    key = things.create_product()
    things.call("ImportThingModelTsl", ProductKey=key, TslStr=build_largest_tsl(*LARGEST["services"][::-1]))
    model = {"properties": [build_property(f"p{n}") for n in range(10)]}
    code = things.error_code("CreateThingModel", ProductKey=key, ThingModelJson=model)
    assert code == "iot.common.UpdateThingModelOverLimit"
    things.call(
        "CreateThingModel",
        ProductKey=key,
        ThingModelJson=model,
        FunctionBlockId="b",
        FunctionBlockName="Module",
    )


def test_a_url_of_tsl_alone_is_refused(things):
    key = things.create_product()
    code = things.error_code("ImportThingModelTsl", ProductKey=key, TslUrl="http://example.com/model.json")
    assert code == "iot.common.InvalidFormattedParameter"


def test_importing_replaces_only_one_module(things):
    key = things.create_product()
    module = {"FunctionBlockId": "Battery", "FunctionBlockName": "Battery_Module"}
    things.call("CreateThingModel", ProductKey=key, ThingModelJson={"properties": [build_property("Level")]})
    tsl = {
        "properties": [
            {"identifier": "Charge", "name": "Charge", "accessMode": "r", "dataType": {"type": "date"}}
        ]
    }
    things.call("ImportThingModelTsl", ProductKey=key, TslStr=tsl, **module)
    assert read_identifiers(things.read_draft(key)["properties"]) == ["Level"]
    assert read_identifiers(things.read_draft(key, FunctionBlockId="Battery")["properties"]) == ["Charge"]


# --- copying


def test_a_version_is_copied_into_the_draft_of_another_product(things):
    source, target = things.create_modeled_product("Source_One"), things.create_product("Target_One")
    things.call("DeleteThingModel", ProductKey=source, PropertyIdentifier=["Level"])
    things.call("CopyThingModel", SourceProductKey=source, TargetProductKey=target, SourceModelVersion="v1")
    assert read_identifiers(things.read_draft(target)["properties"]) == [
        "Level",
        "Measured",
        "Label",
        "Switch",
        "Mode",
    ]
    assert things.read_draft(target)["properties"][0]["productKey"] == target
    assert things.call("ListThingModelVersion", ProductKey=target)["Data"]["ModelVersions"] == []


def test_models_are_copied_only_within_a_category(things):
    source, target = (
        things.create_product("Source_One", CategoryKey="Lighting"),
        things.create_product("Target_One"),
    )
    params = {"SourceProductKey": source, "TargetProductKey": target}
    assert things.error_code("CopyThingModel", **params) == "iot.prod.InvalidFormattedCatId"
    same = things.create_product("Target_Two")
    params = {"SourceProductKey": target, "TargetProductKey": same, "SourceModelVersion": "v7"}
    assert things.error_code("CopyThingModel", **params) == "iot.common.InvalidFormattedParameter"


# --- templates


def test_templates_of_many_categories_can_be_read(things):
    listed = things.call("ListThingTemplates")["Data"]
    assert len(listed) >= 10
    assert {"CategoryKey": "Lighting", "CategoryName": "Street Lamp"} in listed
    for category in listed:
        model = json.loads(
            things.call("GetThingTemplate", CategoryKey=category["CategoryKey"])["ThingModelJSON"]
        )
        assert model["properties"], category
        assert all(feature["custom"] is False for features in model.values() for feature in features)


def test_the_template_of_an_unknown_category_is_refused(things):
    assert things.error_code("GetThingTemplate", CategoryKey="Spaceship") == "iot.prod.InvalidFormattedCatId"
    assert things.error_code("GetThingTemplate") == "MissingCategoryKey"


@pytest.mark.parametrize("auto", [True, False])
def test_a_new_product_has_the_model_of_its_category(things, auto):
    key = things.create_product(CategoryKey="ElectricityMeter", PublishAuto=auto)
    assert "TotalActiveEnergy" in read_identifiers(things.read_draft(key)["properties"])
    versions = things.call("ListThingModelVersion", ProductKey=key)["Data"]["ModelVersions"]
    assert len(versions) == int(auto)
    product = things.call("QueryProduct", ProductKey=key)["Data"]
    assert (product["CategoryKey"], product["CategoryName"]) == ("ElectricityMeter", "Electricity Meter")


def test_a_product_of_an_unknown_category_is_refused(things):
    code = things.error_code("CreateProduct", ProductName="Ship_One", NodeType=0, CategoryKey="Spaceship")
    assert code == "iot.prod.InvalidFormattedCatId"


def test_every_template_can_be_exported_and_imported(things):
    for number, category in enumerate(things.call("ListThingTemplates")["Data"]):
        source = things.create_product(f"Source_{number}", CategoryKey=category["CategoryKey"])
        target = things.create_product(
            f"Target_{number}", CategoryKey=category["CategoryKey"], PublishAuto=False
        )
        exported = things.call("GetThingModelTsl", ProductKey=source)["Data"]["TslStr"]
        things.call("ImportThingModelTsl", ProductKey=target, TslStr=exported)
        assert things.read_tsl(target)["properties"] == json.loads(exported)["properties"]


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


def test_extended_information_is_returned_unchanged(things):
    key = things.create_product(ProtocolType="modbus")
    model = {"properties": [build_property("Level", extendConfig=json.dumps(MODBUS))]}
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=model)
    assert things.read_draft(key)["properties"][0]["configCode"]
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
def test_extended_information_must_match_the_protocol(things, change):
    key = things.create_product(ProtocolType="modbus")
    model = {"properties": [build_property("Level", extendConfig=json.dumps({**MODBUS, **change}))]}
    code = things.error_code("CreateThingModel", ProductKey=key, ThingModelJson=model)
    assert code == "iot.prod.BatchCreateThingModelFailed"


# --- scripts

SCRIPT = "function protocolToRawData(json) { return []; } function rawDataToProtocol(raw) { return {}; }"


def test_a_script_is_stored_replaced_and_downloaded(things, emulator):
    key = things.create_product(DataFormat=0)
    script = {"ProductKey": key, "ScriptContent": SCRIPT, "ScriptType": "JavaScript"}
    things.call("CreateThingScript", **script)
    http = httpx.Client(transport=httpx.WSGITransport(app=emulator))
    response = things.call("GetThingScript", ProductKey=key)["Data"]
    assert (response["ScriptType"], http.get(response["ScriptUrl"]).text) == ("JavaScript", SCRIPT)
    assert things.error_code("CreateThingScript", **script) == "iot.prod.ThingScriptExisted"
    things.call("UpdateThingScript", ProductKey=key, ScriptContent="# …", ScriptType="Python_27")
    response = things.call("GetThingScript", ProductKey=key)["Data"]
    assert (response["ScriptType"], http.get(response["ScriptUrl"]).content) == ("Python_27", "# …".encode())


def test_a_script_requires_a_custom_data_format_and_a_known_language(things):
    script = {"ScriptContent": SCRIPT, "ScriptType": "JavaScript"}
    code = things.error_code("CreateThingScript", ProductKey=things.create_product(), **script)
    assert code == "iot.prod.ThingScriptDataFormatError"
    raw = things.create_product("Raw_One", DataFormat=0)
    code = things.error_code("CreateThingScript", ProductKey=raw, ScriptContent="x", ScriptType="Perl")
    assert code == "iot.prod.InvalidScriptType"
    assert things.error_code("GetThingScript", ProductKey=raw) == "iot.common.FileNotExist"
    assert things.error_code("UpdateThingScript", ProductKey=raw, **script) == "iot.common.FileNotExist"


# --- all operations

CALLS: dict[str, dict[str, Any]] = {
    "CreateThingModel": {"ThingModelJson": {"properties": [build_property("New")]}},
    "UpdateThingModel": {"ThingModelJson": {"properties": [build_property("Level")]}},
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
def test_the_product_must_exist_and_use_a_thing_model(things, other_api, operation):
    params = CALLS[operation]
    missing = "iot.prod.NullProductKey" if operation in OPTIONAL else "MissingProductKey"
    assert things.error_code(operation, **params) == missing
    assert things.error_code(operation, ProductKey="a1nowhere", **params) == "iot.prod.NotExistedProduct"
    basic = things.api.create_product("Basic_One")
    assert things.error_code(operation, ProductKey=basic, **params) == "iot.prod.NotSeniorProduct"
    key = things.create_modeled_product()
    assert other_api.error_code(operation, ProductKey=key, **params) == "iot.prod.NotExistedProduct"


def test_copying_requires_two_existing_products(things):
    key = things.create_modeled_product()
    assert things.error_code("CopyThingModel", SourceProductKey=key) == "MissingTargetProductKey"
    assert things.error_code("CopyThingModel", TargetProductKey=key) == "MissingSourceProductKey"
    params = {"SourceProductKey": "a1nowhere", "TargetProductKey": key}
    assert things.error_code("CopyThingModel", **params) == "iot.prod.NotExistedProduct"


def test_a_model_is_deleted_with_its_product(things, emulator):
    key = things.create_modeled_product()
    things.call("DeleteProduct", ProductKey=key)
    with emulator.store.read() as db:
        assert db.execute("SELECT count(*) FROM thing_versions").fetchone()[0] == 0
        assert db.execute("SELECT count(*) FROM thing_drafts").fetchone()[0] == 0
