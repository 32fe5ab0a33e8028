"""The texts of every page: the rules of fields, and one format of dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from django import forms
from django.http import HttpResponse
from django.test import Client

from console.accounts.models import User
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
                and not isinstance(widget, forms.Select)
                and not isinstance(bound.field, forms.EmailField | forms.URLField)
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
            texts = re.findall(
                rf'id="{bound.auto_id}_(?:helptext|limit)">(.*?)</(?:div|span)>', html, re.DOTALL
            )
            if str(bound.field.max_length) not in " ".join(texts).replace(",", ""):
                silent.append(f"{name} {bound.name}")
    assert len(seen) > 15
    assert silent == []


def list_texts(response: HttpResponse) -> list[str]:
    """The texts between the tags of a page."""
    html = re.sub(r"<(script|style|template|pre).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    return [" ".join(text.split()) for text in re.split(r"<[^>]+>", html)]


def test_every_date_is_in_iso_order(list_pages):
    found = [
        f"{name}: {match[0]}"
        for name, response in list_pages()
        for match in OTHER_DATE.finditer(" ".join(list_texts(response)))
    ]
    assert found == []


CHINESE = r"[\u4e00-\u9fff]"
# Parts of a text that the console joins. Texts by themselves: tests/ui/test_translations.py.
BADLY_JOINED = re.compile(rf"[。！？] [^ ·]|{CHINESE}[:;!?]|\d %|你")


def test_chinese_texts_are_joined_by_the_rules_of_chinese(list_pages, org):
    User.objects.filter(pk=org.members["owner"].pk).update(language="zh-hans")
    found = {
        f"{name}: {text}"
        for name, response in list_pages()
        for text in list_texts(response)
        if BADLY_JOINED.search(text.replace("标签:", ""))
    }
    assert sorted(found) == []
