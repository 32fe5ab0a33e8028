"""The files that `make assets` makes: a page has a rule for each of its classes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from console.ui import assets
from tests.populated import PopulatedTeam, list_addresses

SignIn = Callable[[str], Client]
CLASSES = re.compile(rb'class="([^"]*)"')


def test_the_reduced_stylesheet_has_the_rules_of_all_classes_on_all_pages(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    client, removed = sign_in("owner"), assets.find_removed_classes()
    assert "accordion" in removed, "Tabler has more components than the console uses"
    used: set[str] = set()
    for name in list_addresses():
        for response in (client.get(populated.url(name)), client.get(populated.url(name) + "?q=nothing")):
            if not response.streaming:
                used |= {
                    word.decode() for group in CLASSES.findall(response.content) for word in group.split()
                }
    assert {"card", "form-select", "btn-primary"} <= used
    assert used & removed == set()


def test_the_build_fails_if_a_class_of_a_template_lost_its_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reduced = tmp_path / "tabler.min.css"
    monkeypatch.setattr(assets, "REDUCED", reduced)
    monkeypatch.setattr(assets.subprocess, "run", lambda *args, **options: reduced.write_text(".card{}"))
    with pytest.raises(SystemExit, match=r"lacks classes that templates use: .*btn-primary"):
        assets.reduce_stylesheet()
