"""The way of a person: from the act that a rule covers, over the reason, to the decision of another."""

from __future__ import annotations

import re

import httpx
import pytest
from django.core import mail
from django.urls import reverse

from console.access.models import AuditRecord, Membership
from console.approvals import actions, tasks
from console.approvals.models import ApprovalRequest
from console.connections.models import Connection
from tests.api.conftest import program
from tests.approvals.conftest import REASON, exists, there
from tests.conftest import authenticate
from tests.jobs.conftest import text

__all__ = ["program"]  # a fixture
State = ApprovalRequest.State


def page_of(org, request: ApprovalRequest, act: str = "") -> str:
    return org.url(f"approvals/{request.pk}/{act}")


def delete_product(browser, org, product: str):
    return browser.post(org.url(f"products/{product}/delete/"), {"typed": "Meters"})


def test_deleting_a_product_leads_to_the_request_and_says_so_before(org, rules, product, sign_in):
    browser = sign_in("operator")
    hint = "needs the approval of a second person"
    assert hint not in text(browser.get(org.url(f"products/{product}/delete/")))
    rules(product=True)
    assert hint in text(browser.get(org.url(f"products/{product}/delete/")))
    answer = delete_product(browser, org, product)
    draft = ApprovalRequest.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(org, draft))
    shown = text(browser.get(answer["Location"]))
    assert product in shown
    assert "Meters" in shown
    # Coming again with the same finds the same.
    delete_product(browser, org, product)
    assert ApprovalRequest.objects.get() == draft
    assert exists(org, product)


def test_the_reason_is_asked_for_and_then_it_waits(org, rules, product, sign_in):
    rules(product=True)
    browser = sign_in("operator")
    page = delete_product(browser, org, product)["Location"]
    assert browser.post(f"{page}ask/", {"reason": ""}).status_code == 422
    assert browser.post(f"{page}ask/", {"reason": REASON}, follow=True).redirect_chain == [(page, 302)]
    waiting = ApprovalRequest.objects.get()
    assert (waiting.state, waiting.reason) == (State.WAITING, REASON)
    # Sent again, it changes nothing.
    browser.post(f"{page}ask/", {"reason": "another"})
    waiting.refresh_from_db()
    assert waiting.reason == REASON
    assert delete_product(browser, org, product)["Location"] == page
    assert "Waiting for another person" in text(browser.get(page))


def test_htmx_is_moved_to_the_request_as_a_whole_page(org, rules, product, sign_in):
    rules(product=True)
    answer = sign_in("operator").post(
        org.url(f"products/{product}/delete/"), {"typed": "Meters"}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == page_of(org, ApprovalRequest.objects.get())


def test_the_devices_of_a_bulk_deletion_are_shown_with_their_state(org, rules, product, devices, sign_in):
    rules(deletion=2)
    browser = sign_in("operator")
    data = {"selected": [f"{product}/{name}" for name in devices[:3]]}
    question = browser.post(org.url("devices/many/delete/"), data)
    assert "needs the approval of a second person" in text(question)
    answer = browser.post(org.url("devices/many/delete/"), {**data, "confirmed": "1", "typed": "3"})
    assert answer.status_code == 302
    shown = text(browser.get(answer["Location"]))
    assert all(name in shown for name in devices[:3])
    assert devices[3] not in shown
    assert "Not activated" in shown
    assert there(org, product) == devices


def test_the_explorer_is_no_way_round(org, rules, product, sign_in):
    rules(product=True)
    answer = sign_in("operator").post(
        org.url("explorer/DeleteProduct/"),
        {"p.ProductKey": product, "ProductKey": product, "typed": "DeleteProduct"},
    )
    assert answer["Location"] == page_of(org, ApprovalRequest.objects.get())
    assert exists(org, product)


def test_another_person_approves_it_and_it_is_done(org, of_product, product, sign_in, drain):
    browser = sign_in("owner")
    page = page_of(org, of_product)
    shown = text(browser.get(page))
    assert all(words in shown for words in (REASON, product, "DeleteProduct", "Approve…", "Meters"))
    form = browser.get(page_of(org, of_product, "approve/")).content.decode()
    seen = re.search(r'name="seen" value="(\w+)"', form)
    assert seen is not None
    fields = {"seen": seen[1], "reason": "fine"}
    for _twice in range(2):
        assert browser.post(page_of(org, of_product, "approve/"), fields)["Location"] == page
    of_product.refresh_from_db()
    assert (of_product.state, of_product.decided_by) == (State.APPROVED, org.members["owner"])
    drain(of_product.job)
    assert "Done" in text(browser.get(page))
    assert not exists(org, product)


def test_the_form_of_an_altered_request_approves_nothing(org, of_product, product, sign_in):
    answer = sign_in("owner").post(page_of(org, of_product, "approve/"), {"seen": "0" * 64})
    assert answer.status_code == 302
    of_product.refresh_from_db()
    assert of_product.state == State.FAILED
    assert AuditRecord.objects.filter(operation="approval.altered").exists()


def test_who_asked_has_no_button_and_is_refused(org, of_product, sign_in):
    browser = sign_in("operator")
    assert "Approve…" not in text(browser.get(page_of(org, of_product)))
    for act in ("approve/", "refuse/"):
        data = {"seen": of_product.digest, "reason": "because"}
        assert browser.get(page_of(org, of_product, act)).status_code == 403
        assert browser.post(page_of(org, of_product, act), data).status_code == 403
    of_product.refresh_from_db()
    assert of_product.state == State.WAITING


def test_deciding_asks_people_to_confirm_that_it_is_they(org, of_product, client):
    client.force_login(org.members["owner"])
    for act in ("approve/", "refuse/"):
        data = {"seen": of_product.digest, "reason": "because"}
        answer = client.post(page_of(org, of_product, act), data)
        assert answer.status_code == 302
        assert reverse("account_reauthenticate") in answer["Location"]
    of_product.refresh_from_db()
    assert of_product.state == State.WAITING
    authenticate(client, org.members["owner"])
    client.post(page_of(org, of_product, "refuse/"), {"reason": "because"})
    of_product.refresh_from_db()
    assert of_product.state == State.REFUSED


def test_a_refusal_needs_a_reason(org, of_product, sign_in):
    assert sign_in("owner").post(page_of(org, of_product, "refuse/"), {"reason": " "}).status_code == 422
    of_product.refresh_from_db()
    assert of_product.state == State.WAITING


def test_another_team_and_another_connection_find_nothing(org, of_product, sign_in):
    other = Connection.objects.create(team=org.team, slug="second", name="Second", access_key_id="x")
    urls = [
        f"/{org.other_team.slug}/{org.other_connection.slug}/approvals/{of_product.pk}/{act}"
        for act in ("", "approve/")
    ]
    outsider = sign_in("outsider")
    assert {outsider.get(url).status_code for url in [*urls, page_of(org, of_product)]} == {404}
    assert outsider.post(urls[1], {"seen": of_product.digest}).status_code == 404
    assert (
        sign_in("owner").get(f"/{org.team.slug}/{other.slug}/approvals/{of_product.pk}/").status_code == 404
    )
    assert "Meters" not in text(outsider.get(f"/{org.other_team.slug}/-/approvals/"))


def test_who_does_not_reach_what_it_is_about_does_not_find_it(org, of_product, sign_in):
    Membership.objects.filter(user=org.members["administrator"]).update(
        access_scope={"products": ["a1other"]}
    )
    browser = sign_in("administrator")
    assert browser.get(page_of(org, of_product)).status_code == 404
    assert of_product.target not in text(browser.get(f"/{org.team.slug}/-/approvals/"))


def test_those_that_wait_come_first_and_filters_find_the_rest(
    org, of_product, asked, rules, product, devices, sign_in
):
    rules(product=True, deletion=0)
    refused = asked("DeleteDevice", [{"ProductKey": product, "DeviceName": devices[0]}])
    actions.refuse(refused, org.gateway("owner"), reason="no")
    address, browser = f"/{org.team.slug}/-/approvals/", sign_in("owner")
    shown = text(browser.get(address))
    assert shown.index("Deleting a product") < shown.index(devices[0])
    assert devices[0] in text(browser.get(address, {"state": "refused"}))
    assert product not in text(browser.get(address, {"state": "refused"}))
    assert product in text(browser.get(address, {"mine": "decide"}))
    assert product not in text(sign_in("operator").get(address, {"mine": "decide"}))
    assert product in text(sign_in("operator").get(address, {"mine": "asked"}))
    csv = b"".join(browser.get(address, {"format": "csv"}).streaming_content).decode()
    assert product in csv


def test_the_navigation_counts_what_waits_for_the_person(org, of_product, sign_in):
    count = re.compile(r'class="fd-nav-count">1<')
    for role, counted in [("owner", True), ("operator", False), ("viewer", False)]:
        page = sign_in(role).get(org.url()).content.decode()
        assert bool(count.search(page)) == counted, role


def test_the_product_says_that_a_request_waits(org, of_product, product, sign_in):
    page = sign_in("viewer").get(org.url(f"products/{product}/")).content.decode()
    assert page_of(org, of_product) in page


def test_those_who_can_decide_are_told_by_mail(org, of_product):
    tasks.tell(of_product.pk, "https://console.test/x/")
    assert sorted(to for message in mail.outbox for to in message.to) == [
        "administrator@acme.test",
        "owner@acme.test",
    ]
    assert "https://console.test/x/" in mail.outbox[0].body
    assert REASON in mail.outbox[0].body
    mail.outbox.clear()
    actions.refuse(of_product, org.gateway("owner"), reason="no")
    tasks.tell(of_product.pk, "https://console.test/x/")
    assert mail.outbox == []


def test_a_page_that_waits_moves_on_when_it_is_decided(org, of_product, sign_in):
    browser, page = sign_in("operator"), page_of(org, of_product)
    seen = {"seen": "waiting"}
    assert "HX-Redirect" not in browser.get(page, seen, headers={"HX-Request": "true"})
    actions.refuse(of_product, org.gateway("owner"), reason="no")
    assert browser.get(page, seen, headers={"HX-Request": "true"})["HX-Redirect"] == page


@pytest.mark.parametrize("lost", ["connection", "product"])
def test_a_request_can_be_seen_when_what_it_is_about_cannot_be_read(
    org, of_product, product, sign_in, rules, wire, lost
):
    if lost == "product":
        rules()
        org.gateway().call("DeleteProduct", ProductKey=product)
    else:

        def away():
            raise httpx.ConnectError("away")

        wire.before["QueryProduct"] = away
    answer = sign_in("owner").get(page_of(org, of_product))
    assert answer.status_code == 200
    assert product in text(answer)


def test_a_program_is_told_which_request_waits_for_what_it_wanted(org, rules, product, program, emulator):
    rules(product=True)
    one = program(by="administrator", role="administrator")
    address = f"{org.connection.slug}/products/{product}"
    answers = [one.ask("DELETE", address) for _twice in range(2)]
    asked = ApprovalRequest.objects.get()
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert (asked.state, asked.token, asked.requested_by) == (
        State.WAITING,
        one.made.token,
        org.members["administrator"],
    )
    assert exists(org, product)


def test_a_product_is_told_by_its_name_and_traced_by_its_key(org, of_product, product, sign_in, drain):
    assert f"Meters ({product})" in text(sign_in("owner").get(page_of(org, of_product)))
    drain(actions.approve(of_product, org.gateway("owner"), seen=of_product.digest))
    told = AuditRecord.objects.filter(operation__in=["approval.request", "approval.approve", "DeleteProduct"])
    assert {record.target for record in told} == {product}
