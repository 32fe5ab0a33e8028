"""Rows that every request reads without the ORM: the same as the ORM's, and missing where the ORM has none."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection as database
from django.db import models
from django.test.utils import CaptureQueriesContext

from console.accounts.lookup import Lookup
from console.accounts.models import Membership, User
from console.connections.models import Connection
from tests.conftest import KEY_SECRET, Organization


def read_values(row: models.Model) -> dict[str, Any]:
    return {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.parametrize("name", ["session", "user", "membership", "connection"])
def test_a_row_is_the_one_that_django_reads(org: Organization, sign_in: Any, name: str) -> None:
    key = sign_in("operator").session.session_key
    user = org.members["operator"]
    membership = Membership.objects.get(team=org.team, user=user)
    membership.access_scope = {"connections": [org.connection.pk], "products": ["a1b2c3"]}
    membership.save()
    lookup: Lookup[Any]
    lookup, values, expected = {
        "session": (Lookup(Session, "pk"), (key,), Session.objects.get(pk=key)),
        "user": (Lookup(User, "pk"), (user.pk,), user),
        "membership": (
            Lookup(Membership, "team__slug", "user", related="team"),
            (org.team.slug, user.pk),
            membership,
        ),
        "connection": (
            Lookup(Connection, "team", "slug"),
            (org.team.pk, org.connection.slug),
            org.connection,
        ),
    }[name]
    row = lookup.find(*values)
    expected.refresh_from_db()
    assert row == expected
    assert read_values(row) == read_values(expected)


def test_the_related_row_needs_no_other_query(org: Organization) -> None:
    row = Lookup(Membership, "team__slug", "user", related="team").find("acme", org.members["viewer"].pk)
    assert row is not None
    with CaptureQueriesContext(database) as queries:
        assert read_values(row.team) == read_values(org.team)
    assert len(queries) == 0


def test_a_row_can_be_changed_and_saved(org: Organization) -> None:
    row = Lookup(Connection, "team", "slug").find(org.team.pk, "sandbox")
    assert row is not None
    row.name = "Renamed"
    row.save()
    saved = Connection.objects.get(pk=org.connection.pk)
    assert (saved.name, saved.access_key_secret) == ("Renamed", KEY_SECRET)


@pytest.mark.parametrize("slug", ["globex", "acme' OR 1=1 --", ""])
def test_values_that_no_row_has_find_none(org: Organization, slug: str) -> None:
    lookup = Lookup(Membership, "team__slug", "user", related="team")
    assert lookup.find(slug, org.members["viewer"].pk) is None
