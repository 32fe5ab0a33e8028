"""The texts of every page: the rules of fields, and one format of dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from django import forms
from django.http import HttpResponse
from django.test import Client

from console.ui.fields import field_kind
from console.ui.forms import FilterForm
from tests.expectations import FOR_ALL, MEMBERS_ONLY
from tests.populated import PopulatedTeam

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
OTHER_DATE = re.compile(
    rf"\b(?:{'|'.join({*MONTHS, *(month[:3] for month in MONTHS)})})\.? \d|\b\d{{1,2}}/\d{{1,2}}/\d{{2}}"
)


@pytest.fixture
def list_pages(
    populated: PopulatedTeam, sign_in: Callable[[str], Client]
) -> Callable[[], Iterator[tuple[str, HttpResponse]]]:
    """Yields the address and the response of each page, as the owner sees it."""

    def pages() -> Iterator[tuple[str, HttpResponse]]:
        browser = sign_in("owner")
        for name in sorted({*MEMBERS_ONLY, *FOR_ALL} - {"account_logout"}):
            response = browser.get(populated.url(name))
            if response.status_code == 200 and response["Content-Type"].startswith("text/html"):
                yield name, response

    return pages


def list_limited_fields(response: HttpResponse) -> Iterator[forms.BoundField]:
    """The fields of the forms of a page in which a text can become too long."""
    found: dict[int, forms.BaseForm] = {}
    contexts = response.context if isinstance(response.context, list) else [response.context or {}]
    for values in (values for context in contexts for values in context):
        found |= {id(value): value for value in values.values() if isinstance(value, forms.BaseForm)}
    for form in found.values():
        for bound in () if isinstance(form, FilterForm) else form.visible_fields():
            widget = bound.field.widget
            if (
                getattr(bound.field, "max_length", None)
                and field_kind(widget) == "text"
                and not isinstance(widget, forms.EmailInput | forms.URLInput)
            ):
                yield bound


def test_every_field_with_a_maximum_length_says_it(list_pages):
    seen, silent = set(), []
    for name, response in list_pages():
        html = response.content.decode()
        for bound in list_limited_fields(response):
            if f'name="{bound.html_name}"' not in html:
                continue  # the page does not show the form
            seen.add(f"{name} {bound.name}")
            hint = re.search(rf'id="{bound.auto_id}_helptext">(.*?)</div>', html, re.DOTALL)
            if hint is None or str(bound.field.max_length) not in hint[1].replace(",", ""):
                silent.append(f"{name} {bound.name}")
    assert len(seen) > 15
    assert silent == []


def test_every_date_is_in_iso_order(list_pages):
    found = []
    for name, response in list_pages():
        text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
        found += [f"{name}: {match[0]}" for match in OTHER_DATE.finditer(text)]
    assert found == []
