"""The buttons in the heading of an object's page."""

from __future__ import annotations

import re

import pytest

BUTTON = re.compile(r'<a class="btn[^"]*" href="([^"]+)" data-dialog>')


@pytest.mark.parametrize(
    ("page", "addresses"),
    [
        ("devices/{product}/lamp-0000/", ["rename/", "disable/"]),
        ("products/{product}/", ["edit/", "publish/"]),
    ],
)
def test_a_button_opens_the_question_of_its_action_and_sends_nothing(page, addresses, product, org, sign_in):
    url = org.url(page.format(product=product))
    text = sign_in("owner").get(url).content.decode()
    opened = BUTTON.findall(text)
    for address in addresses:
        assert f"{url}{address}" in opened
        assert f'action="{url}{address}"' not in text
