"""The pages: from the action that a rule covers, through the reason, to the decision of another member."""

from __future__ import annotations

import re

import httpx
import pytest
from django.core import mail
from django.urls import reverse

from console.accounts.models import Membership
from console.approvals import actions, tasks
from console.approvals.models import ApprovalRequest
from console.audit.models import AuditRecord
from console.connections.models import Connection
from tests.approvals.helpers import REASON, list_device_names, product_exists
from tests.conftest import authenticate
from tests.responses import page_text

State = ApprovalRequest.State


def request_url(org, request: ApprovalRequest, act: str = "") -> str:
    return org.url(f"approvals/{request.pk}/{act}")


def delete_product(browser, org, product: str):
    return browser.post(org.url(f"products/{product}/delete/"), {"typed": "Meters"})


def test_deleting_a_product_leads_to_a_request_and_the_form_says_so(org, set_rules, product, sign_in):
    browser = sign_in("operator")
    hint = "needs approval by another team member"
    assert hint not in page_text(browser.get(org.url(f"products/{product}/delete/")))
    set_rules(product=True)
    assert hint in page_text(browser.get(org.url(f"products/{product}/delete/")))
    response = delete_product(browser, org, product)
    draft = ApprovalRequest.objects.get()
    assert (response.status_code, response["Location"]) == (302, request_url(org, draft))
    shown = page_text(browser.get(response["Location"]))
    assert product in shown
    assert "Meters" in shown
    # The same action leads to the same draft.
    delete_product(browser, org, product)
    assert ApprovalRequest.objects.get() == draft
    assert product_exists(org, product)


def test_a_request_needs_a_reason_and_is_then_pending(org, set_rules, product, sign_in):
    set_rules(product=True)
    browser = sign_in("operator")
    page = delete_product(browser, org, product)["Location"]
    assert browser.post(f"{page}ask/", {"reason": ""}).status_code == 422
    assert browser.post(f"{page}ask/", {"reason": REASON}, follow=True).redirect_chain == [(page, 302)]
    waiting = ApprovalRequest.objects.get()
    assert (waiting.state, waiting.reason) == (State.WAITING, REASON)
    # Submitting again changes nothing.
    browser.post(f"{page}ask/", {"reason": "another"})
    waiting.refresh_from_db()
    assert waiting.reason == REASON
    assert delete_product(browser, org, product)["Location"] == page
    assert "Waiting for the decision of another team member" in page_text(browser.get(page))


def test_the_reason_in_the_form_of_the_action_requests_approval_at_once(org, set_rules, product, sign_in):
    set_rules(product=True)
    browser = sign_in("operator")
    dialog = browser.get(org.url(f"products/{product}/delete/"))
    assert 'name="approval_reason"' in dialog.content.decode()
    assert "Request approval" in page_text(dialog)
    data = {"typed": "Meters", "approval_reason": REASON}
    response = browser.post(org.url(f"products/{product}/delete/"), data)
    waiting = ApprovalRequest.objects.get()
    assert (waiting.state, waiting.reason) == (State.WAITING, REASON)
    assert response["Location"] == request_url(org, waiting)
    assert product_exists(org, product)


def test_a_refused_form_keeps_the_reason(org, set_rules, product, sign_in):
    set_rules(product=True)
    data = {"typed": "Metres", "approval_reason": REASON}
    response = sign_in("operator").post(org.url(f"products/{product}/delete/"), data)
    assert response.status_code == 422
    assert REASON in page_text(response)


def test_the_reason_of_a_bulk_action_requests_approval_at_once(org, set_rules, product, devices, sign_in):
    set_rules(deletion=2)
    data = {
        "selected": [f"{product}/{name}" for name in devices[:3]],
        "confirmed": "1",
        "typed": "delete 3 devices",
        "approval_reason": REASON,
    }
    sign_in("operator").post(org.url("devices/bulk/delete/"), data)
    waiting = ApprovalRequest.objects.get()
    assert (waiting.state, waiting.reason) == (State.WAITING, REASON)
    assert list_device_names(org, product) == devices


def test_the_list_tells_who_left_without_a_reason_that_nothing_was_requested(
    org, set_rules, product, sign_in
):
    set_rules(product=True)
    browser = sign_in("operator")
    draft_url = delete_product(browser, org, product)["Location"]
    approvals = browser.get("/acme/-/approvals/")
    assert "You did not request approval for this action" in page_text(approvals)
    assert draft_url in approvals.content.decode()
    other = sign_in("owner").get("/acme/-/approvals/")
    assert "You did not request approval" not in page_text(other)


def test_htmx_is_redirected_to_the_full_page_of_the_request(org, set_rules, product, sign_in):
    set_rules(product=True)
    response = sign_in("operator").post(
        org.url(f"products/{product}/delete/"), {"typed": "Meters"}, headers={"HX-Request": "true"}
    )
    assert response.status_code == 204
    assert response["HX-Redirect"] == request_url(org, ApprovalRequest.objects.get())


def test_the_devices_of_a_bulk_deletion_are_shown_with_their_state(org, set_rules, product, devices, sign_in):
    set_rules(deletion=2)
    browser = sign_in("operator")
    data = {"selected": [f"{product}/{name}" for name in devices[:3]]}
    question = browser.post(org.url("devices/bulk/delete/"), data)
    assert "needs approval by another team member" in page_text(question)
    response = browser.post(
        org.url("devices/bulk/delete/"), {**data, "confirmed": "1", "typed": "delete 3 devices"}
    )
    assert response.status_code == 302
    shown = page_text(browser.get(response["Location"]))
    assert all(name in shown for name in devices[:3])
    assert devices[3] not in shown
    assert "Not activated" in shown
    assert list_device_names(org, product) == devices


def test_the_explorer_does_not_bypass_the_rules(org, set_rules, product, sign_in):
    set_rules(product=True)
    response = sign_in("operator").post(
        org.url("explorer/DeleteProduct/"),
        {"p.ProductKey": product, "ProductKey": product, "typed": "DeleteProduct"},
    )
    assert response["Location"] == request_url(org, ApprovalRequest.objects.get())
    assert product_exists(org, product)


def test_another_member_approves_and_the_calls_are_made(org, product_request, product, sign_in, run_job):
    browser = sign_in("owner")
    page = request_url(org, product_request)
    shown = page_text(browser.get(page))
    assert all(words in shown for words in (REASON, product, "DeleteProduct", "Approve…", "Meters"))
    form = browser.get(request_url(org, product_request, "approve/")).content.decode()
    seen = re.search(r'name="seen" value="(\w+)"', form)
    assert seen is not None
    fields = {"seen": seen[1], "reason": "fine"}
    for _twice in range(2):
        assert browser.post(request_url(org, product_request, "approve/"), fields)["Location"] == page
    product_request.refresh_from_db()
    assert (product_request.state, product_request.decided_by) == (State.APPROVED, org.members["owner"])
    run_job(product_request.job)
    assert "Done" in page_text(browser.get(page))
    assert not product_exists(org, product)


def test_the_requester_sees_no_approve_button_and_is_refused(org, product_request, sign_in):
    browser = sign_in("operator")
    assert "Approve…" not in page_text(browser.get(request_url(org, product_request)))
    for act in ("approve/", "refuse/"):
        data = {"seen": product_request.digest, "reason": "because"}
        assert browser.get(request_url(org, product_request, act)).status_code == 403
        assert browser.post(request_url(org, product_request, act), data).status_code == 403
    product_request.refresh_from_db()
    assert product_request.state == State.WAITING


def test_deciding_requires_reauthentication(org, product_request, client):
    client.force_login(org.members["owner"])
    for act in ("approve/", "refuse/"):
        data = {"seen": product_request.digest, "reason": "because"}
        response = client.post(request_url(org, product_request, act), data)
        assert response.status_code == 302
        assert reverse("account_reauthenticate") in response["Location"]
    product_request.refresh_from_db()
    assert product_request.state == State.WAITING
    authenticate(client, org.members["owner"])
    client.post(request_url(org, product_request, "refuse/"), {"reason": "because"})
    product_request.refresh_from_db()
    assert product_request.state == State.REFUSED


def test_a_refusal_needs_a_reason(org, product_request, sign_in):
    assert (
        sign_in("owner").post(request_url(org, product_request, "refuse/"), {"reason": " "}).status_code
        == 422
    )
    product_request.refresh_from_db()
    assert product_request.state == State.WAITING


def test_the_request_is_not_found_in_another_team_or_connection(org, product_request, sign_in):
    other = Connection.objects.create(team=org.team, slug="second", name="Second", access_key_id="x")
    urls = [
        f"/{org.other_team.slug}/{org.other_connection.slug}/approvals/{product_request.pk}/{act}"
        for act in ("", "approve/")
    ]
    outsider = sign_in("outsider")
    assert {outsider.get(url).status_code for url in [*urls, request_url(org, product_request)]} == {404}
    assert outsider.post(urls[1], {"seen": product_request.digest}).status_code == 404
    assert (
        sign_in("owner").get(f"/{org.team.slug}/{other.slug}/approvals/{product_request.pk}/").status_code
        == 404
    )
    assert "Meters" not in page_text(outsider.get(f"/{org.other_team.slug}/-/approvals/"))


def test_a_request_outside_the_members_scope_is_not_found(org, product_request, sign_in):
    Membership.objects.filter(user=org.members["administrator"]).update(
        access_scope={"products": ["a1other"]}
    )
    browser = sign_in("administrator")
    assert browser.get(request_url(org, product_request)).status_code == 404
    assert product_request.target not in page_text(browser.get(f"/{org.team.slug}/-/approvals/"))


def test_pending_requests_come_first_and_filters_find_the_others(
    org, product_request, submit_request, set_rules, product, devices, sign_in
):
    set_rules(product=True, deletion=0)
    refused = submit_request("DeleteDevice", [{"ProductKey": product, "DeviceName": devices[0]}])
    actions.reject(refused, org.gateway("owner"), reason="no")
    address, browser = f"/{org.team.slug}/-/approvals/", sign_in("owner")
    shown = page_text(browser.get(address))
    assert shown.index("Delete product") < shown.index(devices[0])
    assert devices[0] in page_text(browser.get(address, {"state": "refused"}))
    assert "Meters" not in page_text(browser.get(address, {"state": "refused"}))
    assert product in page_text(browser.get(address, {"mine": "decide"}))
    assert product not in page_text(sign_in("operator").get(address, {"mine": "decide"}))
    assert product in page_text(sign_in("operator").get(address, {"mine": "asked"}))
    csv = b"".join(browser.get(address, {"format": "csv"}).streaming_content).decode()
    assert product in csv


def test_the_navigation_counts_requests_that_the_user_can_decide_on(org, product_request, sign_in):
    count = re.compile(r'id="waiting-approvals" class="fd-nav-count" hx-swap-oob="true">\s*1\s*<')
    for role, counted in [("owner", True), ("operator", False), ("viewer", False)]:
        browser = sign_in(role)
        assert 'id="waiting-approvals" hidden' in browser.get(org.url()).content.decode()
        page = browser.get(org.url("jobs/tray/")).content.decode()
        assert bool(count.search(page)) == counted, role


def test_the_product_page_shows_the_pending_request(org, product_request, product, sign_in):
    page = sign_in("viewer").get(org.url(f"products/{product}/")).content.decode()
    assert request_url(org, product_request) in page


def test_users_who_can_decide_are_notified_by_email(org, product_request):
    tasks.send_notifications(product_request.pk, "https://console.test/x/")
    assert sorted(to for message in mail.outbox for to in message.to) == [
        "administrator@acme.test",
        "owner@acme.test",
    ]
    assert "https://console.test/x/" in mail.outbox[0].body
    assert REASON in mail.outbox[0].body
    mail.outbox.clear()
    actions.reject(product_request, org.gateway("owner"), reason="no")
    tasks.send_notifications(product_request.pk, "https://console.test/x/")
    assert mail.outbox == []


def test_the_page_of_a_pending_request_reloads_when_it_is_decided(org, product_request, sign_in):
    browser, page = sign_in("operator"), request_url(org, product_request)
    seen = {"seen": "waiting"}
    assert "HX-Redirect" not in browser.get(page, seen, headers={"HX-Request": "true"})
    actions.reject(product_request, org.gateway("owner"), reason="no")
    assert browser.get(page, seen, headers={"HX-Request": "true"})["HX-Redirect"] == page


@pytest.mark.parametrize("lost", ["connection", "product"])
def test_a_request_can_be_viewed_if_its_subject_cannot_be_read(
    org, product_request, product, sign_in, set_rules, network, lost
):
    if lost == "product":
        set_rules()
        org.gateway().call("DeleteProduct", ProductKey=product)
    else:

        def fail_to_connect():
            raise httpx.ConnectError("fail_to_connect")

        network.before["QueryProduct"] = fail_to_connect
    response = sign_in("owner").get(request_url(org, product_request))
    assert response.status_code == 200
    assert product in page_text(response)


def test_the_api_returns_the_pending_request_for_a_call_that_needs_approval(
    org, set_rules, product, create_program, emulator
):
    set_rules(product=True)
    one = create_program(by="administrator", role="administrator")
    address = f"{org.connection.slug}/products/{product}"
    responses = [one.send("DELETE", address) for _twice in range(2)]
    approval = ApprovalRequest.objects.get()
    assert [response.status_code for response in responses] == [202, 202]
    assert responses[0].json() == responses[1].json()
    assert (approval.state, approval.token, approval.requested_by) == (
        State.WAITING,
        one.credentials.token,
        org.members["administrator"],
    )
    assert product_exists(org, product)


def test_a_product_is_shown_by_name_and_recorded_by_key(org, product_request, product, sign_in, run_job):
    assert f"Meters ({product})" in page_text(sign_in("owner").get(request_url(org, product_request)))
    run_job(actions.approve(product_request, org.gateway("owner"), seen=product_request.digest))
    records = AuditRecord.objects.filter(
        operation__in=["approval.request", "approval.approve", "DeleteProduct"]
    )
    assert {record.target for record in records} == {product}
