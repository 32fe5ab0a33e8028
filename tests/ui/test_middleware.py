"""htmx gets from views what a browser gets, in its own terms."""

import json

import pytest
from django.contrib import messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpResponse, HttpResponseRedirect
from django.test import RequestFactory

from console.ui.middleware import HtmxMiddleware


def answer(view, htmx=True):
    request = RequestFactory().get("/x", headers={"HX-Request": "true"} if htmx else {})
    request._messages = CookieStorage(request)
    return HtmxMiddleware(view)(request)


def test_a_redirect_moves_the_whole_page():
    response = answer(lambda request: HttpResponseRedirect("/products/"))
    assert response.status_code == 204
    assert response["HX-Redirect"] == "/products/"


def test_a_browser_is_redirected_as_ever():
    assert answer(lambda request: HttpResponseRedirect("/products/"), htmx=False).status_code == 302


@pytest.mark.parametrize("htmx", [True, False])
def test_a_page_is_not_taken_for_its_part_by_a_cache(htmx):
    assert "HX-Request" in answer(lambda request: HttpResponse("page"), htmx=htmx)["Vary"]


def test_being_signed_out_is_said_and_does_not_replace_the_page():
    response = answer(lambda request: HttpResponseRedirect("/accounts/login/?next=/x"))
    assert response.status_code == 401
    assert response["X-Sign-In"] == "/accounts/login/?next=/x"
    assert "HX-Redirect" not in response


def test_cookies_survive_a_redirect():
    def view(request):
        response = HttpResponseRedirect("/")
        response.set_cookie("a", "b")
        return response

    assert answer(view).cookies["a"].value == "b"


@pytest.mark.parametrize("before", [None, "saved", '{"saved": {"id": 1}}'])
def test_messages_become_toasts_beside_other_events(before):
    def view(request):
        messages.success(request, "Gespeichert: ü")
        response = HttpResponse("part")
        if before:
            response["HX-Trigger"] = before
        return response

    events = json.loads(answer(view)["HX-Trigger"])
    assert events["fd:toast"] == {"toasts": [{"text": "Gespeichert: ü", "level": "success"}]}
    assert ("saved" in events) == bool(before)


def test_messages_wait_for_the_page_that_a_redirect_leads_to():
    def view(request):
        messages.success(request, "Done")
        return HttpResponseRedirect("/")

    assert "HX-Trigger" not in answer(view)
