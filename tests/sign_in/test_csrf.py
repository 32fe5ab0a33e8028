"""The CSRF token after signing in again: a form of an open page is sent with the new one."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from django.test import Client

from tests.responses import page_text

FORM = {"name": "kept_group", "description": ""}


@pytest.fixture
def browser(org):
    """Return a browser that checks tokens, with a session of the operator."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(org.members["operator"])
    return client


def headers(user, token: str = "of-the-session-before") -> dict[str, str]:
    return {"HX-Request": "true", "X-Page-User": str(user.pk), "X-CSRFToken": token}


def test_a_page_from_before_the_sign_in_gets_the_new_token(browser, org):
    url, user = org.url("groups/new/"), org.members["operator"]
    refused = browser.post(url, FORM, headers=headers(user))
    assert refused.status_code == 403
    sent = browser.post(url, FORM, headers=headers(user, refused["X-CSRFToken"]))
    assert sent.status_code == 422  # by the form, which lacks a field
    assert "kept_group" in sent.content.decode()


def test_a_page_of_another_user_gets_no_token(browser, org):
    refused = browser.post(org.url("groups/new/"), FORM, headers=headers(org.members["owner"]))
    assert refused.status_code == 403
    assert "X-CSRFToken" not in refused
    assert "Another user" in unquote(refused["X-Message"])


def test_a_form_without_scripts_gets_a_page_and_no_token(browser, org):
    refused = browser.post(
        org.url("groups/new/"), FORM, headers={"X-Page-User": str(org.members["operator"].pk)}
    )
    assert refused.status_code == 403
    assert "X-CSRFToken" not in refused
    assert "The page has expired" in page_text(refused)


def test_a_lost_session_gets_no_token(org):
    client = Client(enforce_csrf_checks=True)
    refused = client.post(org.url("groups/new/"), FORM, headers=headers(org.members["operator"]))
    assert refused.status_code == 401
    assert "X-CSRFToken" not in refused
