"""Responses to htmx: redirects, sign-in, messages."""

import json

import pytest
from django.contrib import messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpResponse, HttpResponseRedirect
from django.test import RequestFactory

from console.ui.middleware import HtmxMiddleware


def respond(view, htmx=True):
    request = RequestFactory().get("/x", headers={"HX-Request": "true"} if htmx else {})
    request._messages = CookieStorage(request)
    return HtmxMiddleware(view)(request)


def test_a_redirect_navigates_the_whole_page():
    response = respond(lambda request: HttpResponseRedirect("/products/"))
    assert response.status_code == 204
    assert response["HX-Redirect"] == "/products/"


def test_a_request_without_htmx_is_redirected():
    assert respond(lambda request: HttpResponseRedirect("/products/"), htmx=False).status_code == 302


@pytest.mark.parametrize("htmx", [True, False])
def test_a_cache_separates_pages_from_parts(htmx):
    assert "HX-Request" in respond(lambda request: HttpResponse("page"), htmx=htmx)["Vary"]


def test_a_signed_out_user_gets_401_and_keeps_the_page():
    response = respond(lambda request: HttpResponseRedirect("/accounts/login/?next=/x"))
    assert response.status_code == 401
    assert response["X-Sign-In"] == "/accounts/login/?next=/x"
    assert "HX-Redirect" not in response


def test_cookies_survive_a_redirect():
    def view(request):
        response = HttpResponseRedirect("/")
        response.set_cookie("a", "b")
        return response

    assert respond(view).cookies["a"].value == "b"


@pytest.mark.parametrize("before", [None, "saved", '{"saved": {"id": 1}}'])
def test_messages_become_toasts_beside_other_events(before):
    def view(request):
        messages.success(request, "Gespeichert: ü")
        response = HttpResponse("part")
        if before:
            response["HX-Trigger"] = before
        return response

    events = json.loads(respond(view)["HX-Trigger"])
    assert events["fd:toast"] == {"toasts": [{"text": "Gespeichert: ü", "level": "success"}]}
    assert ("saved" in events) == bool(before)


def test_messages_are_kept_for_the_target_of_a_redirect():
    def view(request):
        messages.success(request, "Done")
        return HttpResponseRedirect("/")

    assert "HX-Trigger" not in respond(view)
