"""The deduplication rules of a product: setting them, and what the page can say about them."""

from __future__ import annotations

import pytest

from console.areas.products import api
from console.audit.models import AuditRecord
from console.connections.gateway import PermissionRefused
from iot_client.errors import CloudError
from tests.api_programs import problem_kind


@pytest.fixture
def overview(product, org, sign_in):
    """A function that returns the text of the product's page."""

    def read(role: str = "viewer") -> str:
        return " ".join(sign_in(role).get(org.url(f"products/{product}/")).content.decode().split())

    return read


def read_rules(emulator, key: str) -> tuple[int, int]:
    """Read the rules (timestamp, value) from the store, because no operation returns them."""
    with emulator.store.read() as db:
        row = db.execute("SELECT timestamp_filter, value_filter FROM products WHERE product_key = ?", (key,))
        return tuple(row.fetchone())


@pytest.mark.parametrize(
    ("choice", "rules"),
    [("off", (0, 0)), ("value", (0, 1)), ("timestamp", (1, 0)), ("both", (1, 1))],
)
def test_the_chosen_rules_are_set_and_recorded(product, emulator, org, sign_in, choice, rules):
    api.set_deduplication(org.gateway(), product, api.Deduplication(not rules[0], not rules[1]))
    response = sign_in("operator").post(org.url(f"products/{product}/deduplication/"), {"rules": choice})
    assert response["Location"] == org.url(f"products/{product}/")
    assert read_rules(emulator, product) == rules
    record = AuditRecord.objects.filter(operation="UpdateProductFilterConfig").first()
    assert (record.target, record.outcome) == (product, AuditRecord.Outcome.DONE)
    assert (record.parameters["PropertyTimestampFilter"], record.parameters["PropertyValueFilter"]) == rules


def test_no_rule_is_preselected_and_one_must_be_chosen(product, org, sign_in, calls):
    browser, address = sign_in("operator"), org.url(f"products/{product}/deduplication/")
    assert not browser.get(address).context["form"]["rules"].value()
    calls.clear()
    response = browser.post(address, {})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["rules"]
    assert "UpdateProductFilterConfig" not in calls


def test_the_page_says_that_the_platform_does_not_return_the_rules(product, overview):
    text = overview()
    assert "The platform does not return the current rules, and the audit trail contains no change" in text


def test_the_page_shows_the_rules_that_this_console_last_set(product, org, overview):
    api.set_deduplication(org.gateway(), product, api.Deduplication(True, False))
    api.set_deduplication(org.gateway(), product, api.Deduplication(False, True))
    text = overview()
    assert "Same value" in text
    assert "Same timestamp" not in text
    assert "The platform does not return the current rules." in text


def test_a_change_that_was_refused_or_failed_is_not_shown(product, emulator, org, overview):
    api.set_deduplication(org.gateway(), product, api.Deduplication(True, False))
    with pytest.raises(PermissionRefused):
        api.set_deduplication(org.gateway("viewer"), product, api.Deduplication(True, True))
    emulator.faults.add("UpdateProductFilterConfig", kind="throttle", times=9, delay=0.0)
    with pytest.raises(CloudError):
        api.set_deduplication(org.gateway(), product, api.Deduplication(False, True))
    assert "Same timestamp: do not forward" in overview()


def test_after_a_change_without_a_response_the_rules_are_unknown(product, emulator, org, overview):
    api.set_deduplication(org.gateway(), product, api.Deduplication(True, False))
    emulator.faults.add("UpdateProductFilterConfig", kind="malformed", times=9)
    with pytest.raises(CloudError):
        api.set_deduplication(org.gateway(), product, api.Deduplication(False, True))
    text = overview()
    assert "Unknown: no response was received" in text
    assert "Same timestamp" not in text


def test_changes_of_another_team_are_not_shown(product, org, overview):
    api.set_deduplication(org.gateway(), product, api.Deduplication(True, False))
    AuditRecord.objects.update(team=org.other_team)
    assert "Same timestamp" not in overview()


def test_only_roles_that_may_set_the_rules_are_offered_to(product, overview):
    assert "/deduplication/" in overview("operator")
    assert "/deduplication/" not in overview("viewer")


def test_a_product_without_a_thing_model_has_no_rules(emulator, org, sign_in):
    key = api.create_product(org.gateway(), api.NewProduct("Plain_device", thing_model=False))
    text = sign_in("operator").get(org.url(f"products/{key}/")).content.decode()
    assert "Deduplication" not in text
    assert "/deduplication/" not in text


def test_an_error_of_the_cloud_keeps_the_choice(product, emulator, org, sign_in):
    emulator.faults.add("UpdateProductFilterConfig", kind="error", times=9)
    response = sign_in("operator").post(org.url(f"products/{product}/deduplication/"), {"rules": "both"})
    assert response.status_code == 422
    assert "fd-cloud-error" in response.content.decode()
    assert response.context["form"]["rules"].value() == "both"


def test_a_program_sets_the_rules_and_must_state_both(product, emulator, create_program):
    program = create_program("operator", "operator")
    address = f"sandbox/products/{product}/deduplication"
    body = {"same_timestamp": True, "same_value": False}
    assert program.send("PUT", address, body).status_code == 204
    assert read_rules(emulator, product) == (1, 0)
    for invalid in ({"same_value": True}, {**body, "same_value": 0}, {**body, "same_timestamp": "true"}):
        assert problem_kind(program.send("PUT", address, invalid)) == "validation-failed"
    assert read_rules(emulator, product) == (1, 0)
