"""The forms of all pages of members, and requests that leave the database and the client as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.test import Client

from tests.expectations import FOR_ALL, MEMBERS_ONLY
from tests.populated import PopulatedTeam

PERSONAL = [
    name for name in FOR_ALL if name.startswith(("sign_in:", "teams:")) and name != "teams:invitation-link"
]
PAGES = [*(name for name, may in MEMBERS_ONLY.items() if may.get), *PERSONAL]


@dataclass
class Form:
    """A form of a page: its action, its method, and the values that a browser would send."""

    action: str
    method: str
    values: dict[str, list[str]] = field(default_factory=dict)


class _Page(HTMLParser):
    """Parses the forms of a page."""

    def __init__(self, url: str, html: str) -> None:
        super().__init__()
        self.url, self.forms = url, list[Form]()
        self._select, self._area = "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = (
                attributes.get("action") or attributes.get("hx-post") or attributes.get("hx-get") or self.url
            )
            method = (
                "post" if attributes.get("method", "").lower() == "post" or "hx-post" in attributes else "get"
            )
            self.forms.append(Form(action, method))
        elif not self.forms:
            return
        elif tag == "input" and attributes.get("name") and attributes.get("type") not in {"submit", "file"}:
            values = self.forms[-1].values.setdefault(attributes["name"], [])
            if attributes.get("type") not in {"checkbox", "radio"} or "checked" in attributes:
                values.append(attributes.get("value", ""))
        elif tag == "button" and attributes.get("name"):
            self.forms[-1].values.setdefault(attributes["name"], [])
        elif tag == "select" and attributes.get("name"):
            self._select = attributes["name"]
            self.forms[-1].values.setdefault(self._select, [])
        elif tag == "option" and self._select and "selected" in attributes:
            self.forms[-1].values[self._select].append(attributes.get("value", ""))
        elif tag == "textarea" and attributes.get("name"):
            self._area = attributes["name"]
            self.forms[-1].values[self._area] = [""]

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self._select = self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1].values[self._area][0] += data


class rollback:  # noqa: N801 - used as a keyword is
    """Rolls back what happens inside. Audit records, which must not be in a transaction, are written as usual."""

    def __enter__(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic._from_testcase = True  # type: ignore[attr-defined]
        self.atomic.__enter__()

    def __exit__(self, *error: Any) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(*error)


def send_request(client: Client, method: str, url: str, data: Any = None, **headers: str) -> Any:
    """Send a request and restore the cookies of the client after it."""
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    response = getattr(client, method)(url, data or {}, headers=headers)
    if response.streaming:  # read before the rollback
        response.streaming_content = [b"".join(response.streaming_content)]
    client.cookies.clear()
    for name, value in cookies.items():
        client.cookies[name] = value
    return response


def find_forms(populated: PopulatedTeam, client: Client, namespace: str) -> Iterator[Form]:
    """Yield every form on the pages of a namespace that an owner can open, without duplicates."""
    known = set()
    for name in (name for name in PAGES if name.partition(":")[0] == namespace):
        url = populated.url(name)
        with rollback():
            response = send_request(client, "get", url)
        if response.status_code != 200 or "html" not in response["Content-Type"]:
            continue
        for form in _Page(url, response.content.decode()).forms:
            form.action = form.action if form.action.startswith("/") else url
            key = form.method, urlsplit(form.action).path, *sorted(form.values)
            if key not in known and not form.action.startswith(("/accounts/", "/i18n/")):
                known.add(key)
                yield form
