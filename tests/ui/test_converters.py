"""Identifiers in URLs: any text comes back as it was, also through a browser, and those of the platform stand unchanged."""

from __future__ import annotations

from urllib.parse import unquote, urljoin, urlsplit

import pytest
from django.urls import Resolver404, resolve, reverse
from hypothesis import example, given
from hypothesis import strategies as st


def follow(name: str, *args: str) -> str:
    """Return the last argument of a URL after a browser has requested it."""
    address = urljoin("http://testserver/", reverse(name, args=["acme", "sandbox", *args]))
    assert address.startswith("http://testserver/acme/sandbox/")
    match = resolve(unquote(urlsplit(address).path))
    assert match.view_name == name
    return str(list(match.kwargs.values())[-1])


@given(st.text())
@example("")
@example("..")
@example("a/../b")
@example("//evil.test")
@example("~YQ")
@example("a\r\nb")
def test_any_identifier_in_a_url_comes_back(text: str) -> None:
    assert follow("products:detail", text) == text
    assert follow("devices:detail", "a1", text) == text
    assert follow("messaging:edit", "a1", text) == text


@pytest.mark.parametrize("text", ["a1m3nOsYy6A", "meter-1.a:b@c_d", "灯", "a b", "100%"])
def test_identifiers_of_the_platform_stand_unchanged_in_urls(text: str) -> None:
    assert unquote(reverse("products:detail", args=["acme", "sandbox", text])).endswith(f"/{text}/")
    path = reverse("messaging:edit", args=["acme", "sandbox", "a1", "user/update"])
    assert "/user/update/" in path


def test_an_identifier_that_is_not_encoded_correctly_is_not_found() -> None:
    for text in ("~x", "~__8", "~é"):
        with pytest.raises(Resolver404):
            resolve(f"/acme/sandbox/products/{text}/secret/")
