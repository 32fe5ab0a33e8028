"""Every address under a connection × members whose access is limited: in scope, out of scope, and what the pages tell.

What they may do by their role is in test_urls_by_role; an address that is missing there fails there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.test import Client

from console.access.models import AuditRecord, Membership
from console.access.roles import BUILT_IN, OWNER
from console.connections.gateway import Gateway
from console.connections.models import Connection
from console.connections.scope.names import KIND_BY_URL_PART
from console.jobs.models import Job
from tests.populated import PopulatedTeam, addresses, fleet_copied, populated, seeded
from tests.test_urls_by_role import MEMBERS_ONLY, NOBODY

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures

SignIn = Callable[[str], Client]
HERE = sorted(name for name in MEMBERS_ONLY if "connection" in addresses()[name])
# What an address can name in the fleet, or a job that is about it.
THINGS = {*KIND_BY_URL_PART, "job"}
NAMING = [name for name in HERE if THINGS & addresses()[name]]
# Refused to everybody whose access is limited: the account as a whole, and the console's own areas.
WHOLE = {"products:create", "groups:create", "connections:edit", "connections:test", "connections:delete"}
# Of no use to who reaches no group.
BY_GROUP = {"devices:add-group", "devices:remove-group"}
# Ask back what was posted before anything is sent.
QUESTIONS = {"ota:cancel-devices", "ota:confirm-tasks"}
# All roles that a membership can be limited in.
LIMITED = [role for role in BUILT_IN if role != OWNER]
# Pages of the team beside its connections, and those that stay open to who is limited: the front door, tokens of their own,
# and requests, of which they see those within reach.
BESIDE = sorted(set(MEMBERS_ONLY) - set(HERE))
THEIR_OWN = {"access:team", "access:add-own-token", "approvals:list"}
# Of the whole team, and of what each person asked for: tested with them.
APART = {name for name in HERE if name.startswith("approvals:")}


@dataclass(frozen=True)
class Elsewhere:
    """Things of the same account that are out of scope, by the names under which addresses take them; and all the words
    that must never be shown."""

    things: dict[str, Any]
    words: frozenset[str]


def pages(gateway: Gateway, name: str, *path: str, **params: Any) -> Iterator[dict[str, Any]]:
    for answer in gateway.read_pages(name, **params):
        found: Any = answer
        for part in path:
            found = found[part]
        yield from found


@pytest.fixture
def elsewhere(populated: PopulatedTeam) -> Elsewhere:
    """Everything that is not of the product of the populated team."""
    owner, mine = populated.org.gateway(), populated.things["products"]["key"]
    products = list(pages(owner, "QueryProductList", "Data", "List", "ProductInfo", PageSize=200))
    others = [product for product in products if product["ProductKey"] != mine]
    devices = [
        device
        for product in others
        for device in pages(owner, "QueryDevice", "Data", "DeviceInfo", ProductKey=product["ProductKey"])
    ]
    groups = list(pages(owner, "QueryDeviceGroupList", "Data", "GroupInfo", GroupName="e", PageSize=200))
    packages = list(pages(owner, "ListOTAFirmware", "FirmwareInfo", "SimpleFirmwareInfo", PageSize=100))
    theirs = [package for package in packages if package["ProductKey"] != mine]
    batches = [
        batch
        for package in theirs
        for batch in pages(
            owner,
            "ListOTAJobByFirmware",
            "Data",
            "SimpleOTAJobInfo",
            FirmwareId=package["FirmwareId"],
            PageSize=100,
        )
    ]
    job = Job.objects.create(
        team=populated.org.team,
        connection=populated.org.connection,
        kind="devices.register",
        state=Job.State.RUNNING,
        params={"product_key": others[0]["ProductKey"], "product_name": others[0]["ProductName"]},
    )
    first = devices[0]
    things = {
        "key": first["ProductKey"],
        "product_key": first["ProductKey"],
        "name": first["DeviceName"],
        "group_id": groups[0]["GroupId"],
        "package_id": theirs[0]["FirmwareId"],
        "batch_id": batches[0]["JobId"],
        "job": job.pk,
    }
    words = {
        *(product[field] for product in others for field in ("ProductKey", "ProductName")),
        *(device[field] for device in devices for field in ("DeviceName", "IotId")),
        *(group["GroupId"] for group in groups),
        *(package["FirmwareId"] for package in theirs),
        *(batch["JobId"] for batch in batches),
    }
    populated.upstream.writes.clear()
    AuditRecord.objects.all().delete()
    return Elsewhere(things, frozenset(words))


def narrow(populated: PopulatedTeam, role: str, **access_scope: Any) -> None:
    Membership.objects.filter(team=populated.org.team, user=populated.org.members[role]).update(
        access_scope=access_scope
    )


def body(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode() + "".join(f"{name}: {value}" for name, value in answer.items())


def test_every_part_of_an_address_is_known_to_name_something_or_not() -> None:
    others = {"team", "connection", "name", "action", "kind", "operation", "pk", "job"}
    assert {part for name in HERE for part in addresses()[name]} - others == set(KIND_BY_URL_PART)


@pytest.mark.parametrize("name", [name for name in HERE if name not in APART])
def test_pages_within_reach_work_and_tell_nothing_of_the_rest(
    populated: PopulatedTeam, elsewhere: Elsewhere, sign_in: SignIn, name: str
) -> None:
    may = MEMBERS_ONLY[name]
    for role in LIMITED:
        narrow(populated, role, products=[populated.things["products"]["key"]])
        answer = sign_in(role).get(populated.url(name))
        if may.get == NOBODY:
            expected = {404, 405}
        elif role not in may.get:
            expected = {403, 404}
        elif name in WHOLE | BY_GROUP:
            expected = {403}
        elif "group_id" in addresses()[name] or name == "ota:verify":
            expected = {404}  # no group is listed; the package to be verified is for another product
        else:
            expected = {200, 302}
        assert answer.status_code in expected, f"{role}: {answer.status_code}"
        told = body(answer)
        assert [word for word in elsewhere.words if word in told] == [], role
        if role not in may.post:
            assert sign_in(role).post(populated.url(name)).status_code in {403, 404, 405}, role
    assert populated.upstream.writes == []


@pytest.mark.parametrize("name", NAMING)
def test_what_is_out_of_reach_is_not_there(
    populated: PopulatedTeam, elsewhere: Elsewhere, sign_in: SignIn, name: str
) -> None:
    known = populated.things[""] | {"action": "disable"} | elsewhere.things
    url = replace(populated, things={"": known}).url(name)
    asked = {str(value) for value in elsewhere.things.values()}  # what the address itself holds
    for role in LIMITED:
        narrow(populated, role, products=[populated.things["products"]["key"]])
        for method, may in (("get", MEMBERS_ONLY[name].get), ("post", MEMBERS_ONLY[name].post)):
            answer = getattr(sign_in(role), method)(url)
            expected = {404, 405} if may == NOBODY else {403, 404}
            if method == "post" and role in may:
                expected |= {302, 400, 422} | ({200} if name in QUESTIONS else set())
            assert answer.status_code in expected, f"{method} {url} as {role}: {answer.status_code}"
            told = body(answer)
            assert [word for word in elsewhere.words - asked if word in told] == [], f"{method} as {role}"
    assert populated.upstream.writes == [], "something out of reach was changed"


@pytest.mark.parametrize("name", [name for name in HERE if name not in APART])
def test_another_connection_of_the_team_is_not_there(
    populated: PopulatedTeam, sign_in: SignIn, name: str
) -> None:
    other = Connection.objects.create(team=populated.org.team, slug="other", name="Other", access_key_id="k")
    url = populated.url(name)
    for role in LIMITED:
        narrow(populated, role, connections=[other.pk])
        client = sign_in(role)
        assert (client.get(url).status_code, client.post(url).status_code) == (404, 404), role


@pytest.mark.parametrize("name", BESIDE)
def test_who_is_limited_has_no_part_in_the_team_beside_its_connections(
    populated: PopulatedTeam, sign_in: SignIn, name: str
) -> None:
    url, may = populated.url(name), MEMBERS_ONLY[name]
    for role in LIMITED:
        narrow(populated, role, products=[populated.things["products"]["key"]])
        for method, roles in (("get", may.get), ("post", may.post)):
            status = getattr(sign_in(role), method)(url).status_code
            refused = {405} if roles == NOBODY else {403}
            expected = {200, 302, 422} if name in THEIR_OWN and roles else refused
            assert status in expected, f"{method} {url} as {role}: {status}"


@pytest.mark.parametrize("name", [name for name in HERE if name not in APART])
def test_pages_work_for_a_member_of_some_groups(populated: PopulatedTeam, sign_in: SignIn, name: str) -> None:
    narrow(populated, "administrator", groups=[populated.things["groups"]["group_id"]])
    answer = sign_in("administrator").get(populated.url(name))
    takes = addresses()[name]
    if MEMBERS_ONLY[name].get == NOBODY:
        expected = {404, 405}
    elif "group_id" in takes:
        expected = {200, 302}
    else:
        expected = {200, 302, 403, 404}
    assert answer.status_code in expected, answer.status_code
    assert populated.upstream.writes == []


def test_the_front_door_and_the_switcher_know_only_connections_within_reach(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    other = Connection.objects.create(team=populated.org.team, slug="annex", name="Annex", access_key_id="k")
    narrow(populated, "viewer", connections=[populated.org.connection.pk])
    client = sign_in("viewer")
    for address in ("/", f"/{populated.org.team.slug}/"):
        assert client.get(address)["Location"] == populated.org.url()
    assert "Annex" not in client.get(populated.org.url()).content.decode()
    populated.org.members["viewer"].last_visited = f"{populated.org.team.slug}/{other.slug}"
    populated.org.members["viewer"].save()
    assert client.get("/")["Location"] == populated.org.url()
    Connection.objects.filter(pk=populated.org.connection.pk).delete()
    assert client.get(f"/{populated.org.team.slug}/").status_code == 200, "there is none: the page says so"


def test_the_frame_says_that_the_access_is_limited(populated: PopulatedTeam, sign_in: SignIn) -> None:
    key = populated.things["products"]["key"]
    narrow(populated, "viewer", products=[key], groups=["g"])
    assert "Limited to 1 product, 1 group" in sign_in("viewer").get(populated.org.url()).content.decode()
    narrow(populated, "viewer")
    assert "Limited to" not in sign_in("viewer").get(populated.org.url()).content.decode()


def test_a_search_finds_only_what_is_within_reach(
    populated: PopulatedTeam, elsewhere: Elsewhere, sign_in: SignIn
) -> None:
    own, theirs = populated.things["devices"], elsewhere.things["name"]
    narrow(populated, "viewer", products=[own["product_key"]])
    client = sign_in("viewer")
    assert client.get(populated.org.url("devices/search/"), {"q": own["name"]}).status_code == 302
    found = client.get(populated.org.url("devices/search/"), {"q": theirs})
    assert found.status_code == 200
    assert elsewhere.things["product_key"] not in found.content.decode()
    listed = client.get(populated.org.url("devices/"), {"q": theirs})
    assert "Choose a product" in listed.content.decode()
    options = client.get(populated.org.url("explorer/suggest/products/"), {"field": "x"}).content.decode()
    assert own["product_key"] in options
    assert elsewhere.things["product_key"] not in options


def test_an_operation_out_of_reach_is_shown_as_one_and_refused(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    narrow(populated, "owner", products=[populated.things["products"]["key"]])
    client = sign_in("owner")
    form = client.get(populated.org.url("explorer/CreateProduct/"))
    assert "your access here is limited to 1 product" in form.content.decode()
    assert (
        client.post(
            populated.org.url("explorer/CreateProduct/"), {"ProductName": "New", "NodeType": "0"}
        ).status_code
        == 403
    )
    assert populated.upstream.writes == []
