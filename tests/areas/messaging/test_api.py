"""Topics in the HTTP API: topic categories, routes, partial failures, approval."""

from __future__ import annotations

import pytest

from console.accounts.approval_rules import save_setting
from console.ui.areas import all_approval_rules
from tests.api_programs import problem_kind


@pytest.fixture
def program(create_program):
    return create_program("owner", "operator", name="robot")


def read_categories(program, product):
    listed = program.get(f"sandbox/products/{product}/topics").json()
    return {category["short_name"]: category for category in listed}


def test_a_topic_category_is_created_edited_and_deleted(product, program):
    at = f"sandbox/products/{product}/topics"
    new = {"short_name": "alarm/high", "permission": "PUB", "description": "Upper limit"}
    topic_id = program.post(at, new).json()["id"]
    topic = f"/{product}/${{deviceName}}/user/alarm/high"
    assert read_categories(program, product)["alarm/high"] == {**new, "id": topic_id, "topic": topic}
    changed = {"short_name": "alarm", "permission": "ALL", "description": "Limits"}
    assert program.send("PUT", f"{at}/{topic_id}", changed).status_code == 204
    assert read_categories(program, product)["alarm"]["permission"] == "ALL"
    assert program.send("DELETE", f"{at}/{topic_id}").status_code == 204
    assert "alarm" not in read_categories(program, product)
    assert problem_kind(program.send("DELETE", f"{at}/{topic_id}")) == "not-found"


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"short_name": "a-b"}, "validation-failed", "short_name"),
        ({"short_name": "x" * 129}, "validation-failed", "short_name"),
        ({"permission": "READ"}, "validation-failed", "permission"),
        ({"description": ""}, "validation-failed", "description"),
        ({"short_name": "get"}, "already-exists", ""),
    ],
)
def test_an_invalid_change_is_refused_and_names_its_field(product, program, change, kind, field):
    at = f"sandbox/products/{product}/topics"
    values = {"short_name": "alarm", "permission": "PUB", "description": "Limits"}
    topic_id = program.post(at, values).json()["id"]
    response = program.send("PUT", f"{at}/{topic_id}", {**values, **change})
    assert problem_kind(response) == kind
    assert [error["field"] for error in response.json().get("errors", ())] == ([field] if field else [])
    assert read_categories(program, product)["alarm"]["permission"] == "PUB"


def test_the_id_of_a_category_of_another_product_is_not_found(product, other_product, program):
    topic_id = read_categories(program, other_product)["get"]["id"]
    response = program.send("DELETE", f"sandbox/products/{product}/topics/{topic_id}")
    assert problem_kind(response) == "not-found"
    assert "get" in read_categories(program, other_product)


def test_routes_are_created_listed_in_both_directions_and_deleted(topic, program):
    routes = {"source": topic(1), "targets": [topic(2, "get"), topic(3, "get"), topic(2, "get")]}
    assert program.post("sandbox/topic-routes", routes).json() == {"failed": []}
    listed = program.get(f"sandbox/topic-routes?topic={topic(1)}").json()
    assert listed == {"targets": [topic(2, "get"), topic(3, "get")], "sources": []}
    assert program.get(f"sandbox/topic-routes?topic={topic(2, 'get')}").json()["sources"] == [topic(1)]
    keys = [f"{topic(1)} {topic(2, 'get')}", f"{topic(1)} {topic(9)}"]
    outcomes = program.post("sandbox/messaging/routes/bulk/delete", {"keys": keys}).json()["outcomes"]
    assert [outcome["done"] for outcome in outcomes] == [True, False]
    assert program.get(f"sandbox/topic-routes?topic={topic(1)}").json()["targets"] == [topic(3, "get")]


def test_a_refused_target_is_named_and_the_others_are_created(topic, program):
    routes = {"source": topic(1), "targets": [topic(2, "get"), topic(9, "get")]}
    assert program.post("sandbox/topic-routes", routes).json() == {"failed": [topic(9, "get")]}
    assert program.get(f"sandbox/topic-routes?topic={topic(1)}").json()["targets"] == [topic(2, "get")]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"source": "update"}, "source"), ({"targets": ["get"]}, "targets"), ({"targets": []}, "targets")],
)
def test_a_topic_that_is_not_valid_is_refused_and_names_its_field(topic, program, calls, change, field):
    calls.clear()
    routes = {"source": topic(1), "targets": [topic(2, "get")], **change}
    response = program.post("sandbox/topic-routes", routes)
    assert problem_kind(response) == "validation-failed"
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert calls == []


def test_deletions_wait_for_approval_if_the_rule_is_on(org, product, topic, program):
    (rule,) = (rule for rule in all_approval_rules() if rule.slug == "topic_deletion")
    save_setting(org.team, rule, True)
    program.post("sandbox/topic-routes", {"source": topic(1), "targets": [topic(2, "get")]})
    topic_id = read_categories(program, product)["get"]["id"]
    deletions = [
        program.send("DELETE", f"sandbox/products/{product}/topics/{topic_id}"),
        program.post("sandbox/messaging/routes/bulk/delete", {"keys": [f"{topic(1)} {topic(2, 'get')}"]}),
    ]
    assert [(one.status_code, one.json()["status"]) for one in deletions] == [(202, "waiting")] * 2
    assert "get" in read_categories(program, product)
    assert program.get(f"sandbox/topic-routes?topic={topic(1)}").json()["targets"] == [topic(2, "get")]
