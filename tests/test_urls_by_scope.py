"""Every address under a connection × members with limited access: in scope, out of scope, and what the pages show.

test_urls_by_role covers what they may do by their role; an address without an expectation fails there.
"""

from __future__ import annotations

import functools
import operator
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.test import Client

from console.accounts.models import Membership
from console.accounts.roles import BUILT_IN, OWNER
from console.connections.models import Connection
from console.jobs.models import Job
from console.ui.areas import all_areas
from tests.expectations import AREAS, MEMBERS_ONLY
from tests.populated import Fleet, PopulatedTeam, list_addresses, open_cloud
from tests.registrations import create_registration
from tests.roles import NOBODY

SignIn = Callable[[str], Client]
CONNECTION_ADDRESSES = sorted(name for name in MEMBERS_ONLY if "connection" in list_addresses()[name])
# Parameters of addresses that name an object of the fleet, or a job for one.
URL_OBJECTS = {area.slug: set(area.url_objects) for area in all_areas()}
OBJECT_ADDRESSES = [
    name
    for name in CONNECTION_ADDRESSES
    if (URL_OBJECTS.get(name.partition(":")[0], set()) | {"job"}) & list_addresses()[name]
]
# Parameters of the areas' addresses that name no object of the fleet, or one of an object that the address names too.
OTHER_PARAMETERS = {"team", "connection", "action", "job"}
OTHER_PARAMETERS_OF_AREAS = {
    slug: getattr(expectations, "OTHER_PARAMETERS", set()) for slug, expectations in AREAS.items()
}
# Refused to members limited to a product: the account as a whole, groups, and areas of the console.
REFUSED = {
    *(f"connections:{name}" for name in ("menu", "edit", "test", "delete")),
    *(name for area in AREAS.values() for name in getattr(area, "REFUSED_TO_LIMITED", ())),
}
# Not found by them: pages of other objects.
NOT_FOUND = {name for area in AREAS.values() for name in getattr(area, "NOT_FOUND_BY_LIMITED", ())}
# All roles of limited memberships.
LIMITED = [role for role in BUILT_IN if role != OWNER]
# Pages of the team outside its connections, and those that are open to limited members: the home page, their own tokens,
# and the approval requests in their scope.
TEAM_ADDRESSES = sorted(set(MEMBERS_ONLY) - set(CONNECTION_ADDRESSES))
OPEN_TO_LIMITED = {"teams:team", "teams:switcher", "teams:add-own-token", "approvals:list"}
# Tested with the approvals.
TESTED_ELSEWHERE = {name for name in CONNECTION_ADDRESSES if name.startswith("approvals:")}


@dataclass(frozen=True)
class OutOfScopeObjects:
    """Objects of the same account that are out of scope.

    things: their IDs, by parameter name. words: all words that must not be shown. product: the parameters of a job for one
    of the products.
    """

    things: dict[str, Any]
    words: frozenset[str]
    product: dict[str, str]


@pytest.fixture(scope="module")
def other_objects(seeded_fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> OutOfScopeObjects:
    """Everything of the fleet that does not belong to the product of the populated team."""
    folder, mine = tmp_path_factory.mktemp("others"), seeded_fleet.things["products"]["key"]
    shutil.copytree(seeded_fleet.database.parent, folder, dirs_exist_ok=True)
    with open_cloud(folder / seeded_fleet.database.name) as cloud:

        def read_all(name: str, *path: str, **params: Any) -> list[dict[str, Any]]:
            pages = cloud.pages(name, **params)
            return [one for page in pages for one in functools.reduce(operator.getitem, path, page)]

        products = read_all("QueryProductList", "Data", "List", "ProductInfo", PageSize=200)
        other_products = [product for product in products if product["ProductKey"] != mine]
        devices = [
            device
            for product in other_products
            for device in read_all("QueryDevice", "Data", "DeviceInfo", ProductKey=product["ProductKey"])
        ]
        groups = read_all("QueryDeviceGroupList", "Data", "GroupInfo", GroupName="e", PageSize=200)
        packages = read_all("ListOTAFirmware", "FirmwareInfo", "SimpleFirmwareInfo", PageSize=100)
        theirs = [package for package in packages if package["ProductKey"] != mine]
        path = ("ListOTAJobByFirmware", "Data", "SimpleOTAJobInfo")
        batches = [
            batch
            for package in theirs
            for batch in read_all(*path, FirmwareId=package["FirmwareId"], PageSize=100)
        ]
    first = devices[0]
    things = {
        "key": first["ProductKey"],
        "product_key": first["ProductKey"],
        "name": first["DeviceName"],
        "group_id": groups[0]["GroupId"],
        "package_id": theirs[0]["FirmwareId"],
        "batch_id": batches[0]["JobId"],
    }
    words = {
        *(product[field] for product in other_products for field in ("ProductKey", "ProductName")),
        *(device[field] for device in devices for field in ("DeviceName", "IotId")),
        *(group["GroupId"] for group in groups),
        *(package["FirmwareId"] for package in theirs),
        *(batch["JobId"] for batch in batches),
    }
    product = {
        "product_key": other_products[0]["ProductKey"],
        "product_name": other_products[0]["ProductName"],
    }
    return OutOfScopeObjects(things, frozenset(words), product)


@pytest.fixture
def others(populated: PopulatedTeam, other_objects: OutOfScopeObjects) -> OutOfScopeObjects:
    """The same, and a job for another product."""
    job = create_registration(populated.org.connection, **other_objects.product, state=Job.State.RUNNING)
    return replace(other_objects, things=other_objects.things | {"job": job.pk})


def limit_access(populated: PopulatedTeam, role: str, **access_scope: Any) -> None:
    Membership.objects.filter(team=populated.org.team, user=populated.org.members[role]).update(
        access_scope=access_scope
    )


def read_content(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode() + "".join(f"{name}: {value}" for name, value in response.items())


@pytest.mark.parametrize("area", URL_OBJECTS)
def test_an_area_says_what_each_parameter_of_its_addresses_names(area: str) -> None:
    addresses = [name for name in CONNECTION_ADDRESSES if name.startswith(f"{area}:")]
    parameters = {part for name in addresses for part in list_addresses()[name]}
    others = OTHER_PARAMETERS | OTHER_PARAMETERS_OF_AREAS.get(area, set())
    assert parameters - others == URL_OBJECTS[area]


def test_addresses_outside_the_areas_name_no_object_but_jobs() -> None:
    outside = [name for name in CONNECTION_ADDRESSES if name.partition(":")[0] not in URL_OBJECTS]
    parameters = {part for name in outside for part in list_addresses()[name]}
    assert parameters <= {"team", "connection", "job", "pk", "kind", "operation"}


def by_namespace(names: Iterable[str]) -> Iterable[Any]:
    """Return the addresses of each namespace as one set of parameters, because one sign-in serves many addresses."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.partition(":")[0], []).append(name)
    return [pytest.param(addresses, id=namespace) for namespace, addresses in groups.items()]


OF_CONNECTION = by_namespace(name for name in CONNECTION_ADDRESSES if name not in TESTED_ELSEWHERE)


@pytest.mark.parametrize("names", OF_CONNECTION)
def test_pages_in_scope_work_and_show_nothing_out_of_scope(
    populated: PopulatedTeam, others: OutOfScopeObjects, sign_in: SignIn, names: list[str]
) -> None:
    wrong = []
    for role in LIMITED:
        limit_access(populated, role, products=[populated.things["products"]["key"]])
        member = sign_in(role)
        for name in names:
            url, may = populated.url(name), MEMBERS_ONLY[name]
            response = member.get(url)
            if may.get == NOBODY:
                expected = {404, 405}
            elif role not in may.get:
                expected = {403, 404}
            elif name in REFUSED:
                expected = {403, 404} if name in OBJECT_ADDRESSES else {403}
            elif "group_id" in list_addresses()[name] or name in NOT_FOUND:
                expected = {404}  # no group is in scope
            else:
                expected = {200, 302}
            if response.status_code not in expected:
                wrong.append(f"GET {url} as {role}: {response.status_code}")
            content = read_content(response)
            wrong += [f"GET {url} as {role} shows {word}" for word in others.words if word in content]
            if role not in may.post and (status := member.post(url).status_code) not in {403, 404, 405}:
                wrong.append(f"POST {url} as {role}: {status}")
    assert wrong == []
    assert populated.upstream.writes == []


@pytest.mark.parametrize("names", by_namespace(OBJECT_ADDRESSES))
def test_objects_out_of_scope_are_not_found(
    populated: PopulatedTeam, others: OutOfScopeObjects, sign_in: SignIn, names: list[str]
) -> None:
    namespace = names[0].partition(":")[0]
    own = populated.things[""] | populated.things.get(namespace, {})
    known = own | {"action": "disable"} | others.things
    in_address = {str(value) for value in others.things.values()}  # what the address itself contains
    wrong = []
    for role in LIMITED:
        limit_access(populated, role, products=[populated.things["products"]["key"]])
        member = sign_in(role)
        for name in names:
            url = replace(populated, things={"": known}).url(name)
            for method, may in (("get", MEMBERS_ONLY[name].get), ("post", MEMBERS_ONLY[name].post)):
                response = getattr(member, method)(url)
                expected = {404, 405} if may == NOBODY else {403, 404}
                if method == "post" and role in may:
                    expected |= {302, 400, 422}
                if response.status_code not in expected:
                    wrong.append(f"{method} {url} as {role}: {response.status_code}")
                content = read_content(response)
                words = others.words - in_address
                wrong += [f"{method} {url} as {role} shows {word}" for word in words if word in content]
    assert wrong == []
    assert populated.upstream.writes == [], "something out of scope was changed"


@pytest.mark.parametrize("names", OF_CONNECTION)
def test_another_connection_of_the_team_is_not_found(
    populated: PopulatedTeam, sign_in: SignIn, names: list[str]
) -> None:
    other = Connection.objects.create(team=populated.org.team, slug="other", name="Other", access_key_id="k")
    wrong = []
    for role in LIMITED:
        limit_access(populated, role, connections=[other.pk])
        member = sign_in(role)
        for url in map(populated.url, names):
            statuses = member.get(url).status_code, member.post(url).status_code
            wrong += [f"{url} as {role}: {statuses}"] if statuses != (404, 404) else []
    assert wrong == []


@pytest.mark.parametrize("names", by_namespace(TEAM_ADDRESSES))
def test_limited_members_cannot_access_the_pages_of_the_team(
    populated: PopulatedTeam, sign_in: SignIn, names: list[str]
) -> None:
    wrong = []
    for role in LIMITED:
        limit_access(populated, role, products=[populated.things["products"]["key"]])
        member = sign_in(role)
        for name in names:
            url, may = populated.url(name), MEMBERS_ONLY[name]
            for method, roles in (("get", may.get), ("post", may.post)):
                status = getattr(member, method)(url).status_code
                refused = {405} if roles == NOBODY else {403}
                expected = {200, 302, 422} if name in OPEN_TO_LIMITED and roles else refused
                if status not in expected:
                    wrong.append(f"{method} {url} as {role}: {status}")
    assert wrong == []


@pytest.mark.parametrize("names", OF_CONNECTION)
def test_pages_work_for_a_member_limited_to_groups(
    populated: PopulatedTeam, sign_in: SignIn, names: list[str]
) -> None:
    limit_access(populated, "administrator", groups=[populated.things["groups"]["group_id"]])
    member = sign_in("administrator")
    wrong = []
    for name in names:
        response = member.get(populated.url(name))
        if MEMBERS_ONLY[name].get == NOBODY:
            expected = {404, 405}
        elif "group_id" in list_addresses()[name]:
            expected = {200, 302}
        else:
            expected = {200, 302, 403, 404}
        if response.status_code not in expected:
            wrong.append(f"{name}: {response.status_code}")
    assert wrong == []
    assert populated.upstream.writes == []


def test_the_home_page_and_the_switcher_show_only_connections_in_scope(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    other = Connection.objects.create(team=populated.org.team, slug="annex", name="Annex", access_key_id="k")
    limit_access(populated, "viewer", connections=[populated.org.connection.pk])
    client = sign_in("viewer")
    for address in ("/", f"/{populated.org.team.slug}/"):
        assert client.get(address)["Location"] == populated.org.url()
    for address in (populated.org.url(), populated.url("teams:switcher")):
        assert "Annex" not in client.get(address).content.decode()
    populated.org.members["viewer"].last_visited = f"{populated.org.team.slug}/{other.slug}"
    populated.org.members["viewer"].save()
    assert client.get("/")["Location"] == populated.org.url()
    Connection.objects.filter(pk=populated.org.connection.pk).delete()
    assert client.get(f"/{populated.org.team.slug}/").status_code == 200, (
        "the page says that there is no connection"
    )


def test_pages_show_that_the_access_is_limited(populated: PopulatedTeam, sign_in: SignIn) -> None:
    key = populated.things["products"]["key"]
    limit_access(populated, "viewer", products=[key], groups=["g"])
    assert "Limited to 1 product, 1 group" in sign_in("viewer").get(populated.org.url()).content.decode()
    limit_access(populated, "viewer")
    assert "Limited to" not in sign_in("viewer").get(populated.org.url()).content.decode()


def test_a_search_finds_only_devices_in_scope(
    populated: PopulatedTeam, others: OutOfScopeObjects, sign_in: SignIn
) -> None:
    own, theirs = populated.things["devices"], others.things["name"]
    limit_access(populated, "viewer", products=[own["product_key"]])
    client = sign_in("viewer")
    assert client.get(populated.org.url("devices/search/"), {"q": own["name"]}).status_code == 302
    search_page = client.get(populated.org.url("devices/search/"), {"q": theirs})
    assert search_page.status_code == 200
    assert others.things["product_key"] not in search_page.content.decode()
    listed = client.get(populated.org.url("devices/"), {"q": theirs})
    assert "Select a product" in listed.content.decode()
    options = client.get(populated.org.url("explorer/suggest/products/"), {"field": "x"}).content.decode()
    assert own["product_key"] in options
    assert others.things["product_key"] not in options


def test_an_operation_out_of_scope_is_marked_and_refused(populated: PopulatedTeam, sign_in: SignIn) -> None:
    limit_access(populated, "owner", products=[populated.things["products"]["key"]])
    client = sign_in("owner")
    form = client.get(populated.org.url("explorer/CreateProduct/"))
    assert "Your access is limited to 1 product" in form.content.decode()
    assert (
        client.post(
            populated.org.url("explorer/CreateProduct/"), {"ProductName": "New", "NodeType": "0"}
        ).status_code
        == 403
    )
    assert populated.upstream.writes == []
