"""Which responses are compressed: pages, but none that shows a secret or that another site asked for. And static files."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.console_process import CHECKOUT
from tests.populated import PopulatedTeam

SignIn = Callable[[str], Client]


def get(client: Client, url: str, **headers: str) -> Any:
    return client.get(url, headers={"accept-encoding": "gzip", **headers})


def test_a_page_is_compressed_to_a_length_that_varies(populated: PopulatedTeam, sign_in: SignIn) -> None:
    client = sign_in("owner")
    pages = [get(client, populated.url("products:list")) for _ in range(8)]
    assert {page["Content-Encoding"] for page in pages} == {"gzip"}
    assert len({len(page.content) for page in pages}) > 1


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("post", "devices:secret"),
        ("post", "products:secret"),
        ("get", "devices:create"),
        ("get", "teams:add-own-token"),
        ("get", "teams:invite"),
    ],
)
def test_a_page_that_can_show_a_secret_is_not_compressed(
    populated: PopulatedTeam, sign_in: SignIn, method: str, name: str
) -> None:
    send = getattr(sign_in("owner"), method)
    response = send(populated.url(name), headers={"accept-encoding": "gzip"})
    assert response.status_code == 200
    assert "Content-Encoding" not in response


def test_the_page_with_the_key_of_an_authenticator_app_is_not_compressed(sign_in: SignIn) -> None:
    response = get(sign_in("owner"), reverse("mfa_activate_totp"))
    assert response.status_code == 200
    assert "Content-Encoding" not in response


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_that_another_site_asks_for_is_not_compressed(
    populated: PopulatedTeam, sign_in: SignIn, site: str
) -> None:
    client, url = sign_in("owner"), populated.url("products:list")
    assert "Content-Encoding" not in get(client, url, **{"sec-fetch-site": site})
    assert "Content-Encoding" in get(client, url, **{"sec-fetch-site": "same-origin"})


def test_a_download_is_not_compressed(populated: PopulatedTeam, sign_in: SignIn) -> None:
    response = get(sign_in("owner"), populated.url("products:list") + "?format=csv")
    assert response.streaming
    assert "Content-Encoding" not in response


def test_no_script_imports_another() -> None:
    """The name of a static file contains its hash, which a script does not know. A page gives it in an attribute."""
    scripts = [path for path in (CHECKOUT / "static").rglob("*.js") if "vendor" not in path.parts]
    assert len(scripts) > 10
    imports = re.compile(r"""^\s*(import|export)\b.*["']|\bimport\(["']""", re.MULTILINE)
    assert [path.name for path in scripts if imports.search(path.read_text())] == []
