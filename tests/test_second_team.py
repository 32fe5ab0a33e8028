"""IDs of a second team in every parameter that takes an ID: the response is the same as for IDs that do not exist.

The parameters are not listed here. Addresses come from the URLconf, form fields from the pages, other parameters from the
code, and those of the API from its document. Each request is sent with an ID of the second team and with an unknown ID:
status, text, redirects, the number of queries and the number of platform calls must be the same, and nothing of the second
team may be shown or changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django.utils.http import int_to_base36
from django.utils.text import slugify

import console
from console.accounts.models import ApiToken, CustomRole, Membership, Team, User
from console.api.document import PREFIX
from console.approvals.models import ApprovalRequest
from console.audit.models import AuditRecord
from console.connections import clients
from console.connections.models import Connection
from console.explorer.models import ExplorerCall
from console.jobs.models import Job
from console.sign_in.models import SignOnRule
from console.teams.models import Invitation
from iot_client.catalogue import Access, operation
from tests.api.expectations import BY_ID, EXPECTED, fill_in, find_names
from tests.api_programs import CreateProgram
from tests.expectations import AREAS, FOR_ALL, MEMBERS_ONLY
from tests.page_forms import PAGES, Form, find_forms, rollback, send_request
from tests.populated import PopulatedTeam, RecordingTransport, list_addresses
from tests.registrations import create_registration

SignIn = Callable[[str], Client]
# IDs and slugs of all objects of the second team, and values that no object has.
NUMBER, UNKNOWN_NUMBER = "424242", "414141"
PAIRS = [(NUMBER, UNKNOWN_NUMBER), ("zulu", "zulx"), ("zulu@zulu.test", "zulx@zulx.test")]
SECRET_WORD = "Kilimanjaro"  # in the names of all objects of the second team


class _ReadOnlyTransport(RecordingTransport):
    """The platform with all writes refused, so that every request finds the same fleet."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        super().__init__(transport)
        self.calls = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        fields = parse_qs(request.url.query.decode()) | parse_qs(request.content.decode())
        if operation(fields["Action"][0]).access is not Access.READ:
            return httpx.Response(403, json={"Code": "Forbidden.RAM", "Message": "no", "RequestId": "1"})
        return super().handle_request(request)


@pytest.fixture
def upstream(populated: PopulatedTeam, monkeypatch: pytest.MonkeyPatch, settings: Any) -> _ReadOnlyTransport:
    settings.CLOUD_CACHE_SECONDS = 0  # cached responses would change the number of calls
    transport = _ReadOnlyTransport(populated.upstream)
    monkeypatch.setattr(clients, "transport_for", lambda connection: transport)
    return transport


@pytest.fixture
def second_team(populated: PopulatedTeam) -> Team:
    """A second team with one object of each kind, all with the same ID and slug."""
    pk = int(NUMBER)
    team = Team.objects.create(pk=pk, slug="zulu", name=f"{SECRET_WORD} Works")
    user = User.objects.create_user("zulu@zulu.test", None, pk=pk, name=f"{SECRET_WORD} Person")
    Membership.objects.create(pk=pk, team=team, user=user, role_slug="owner")
    CustomRole.objects.create(
        pk=pk, team=team, slug="zulu", name=f"{SECRET_WORD} role", levels={"devices": 1}
    )
    Invitation.objects.create(
        pk=pk, team=team, email="zulu@zulu.test", role_slug="viewer", digest="z" * 64, invited_by=user
    )
    SignOnRule.objects.create(pk=pk, team=team, value=f"{SECRET_WORD}.test", role_slug="viewer")
    token = ApiToken.objects.create(
        pk=pk,
        team=team,
        user=user,
        name=f"{SECRET_WORD} token",
        digest="y" * 64,
        hint="fd_zulu",
        role_slug="viewer",
        expires_at=timezone.now() + timedelta(days=9),
    )
    plant = Connection.objects.create(
        pk=pk,
        team=team,
        slug="zulu",
        name=f"{SECRET_WORD} plant",
        endpoint="http://emulator.test",
        access_key_id="x",
        access_key_secret="y",
    )
    create_registration(plant, "zulu", SECRET_WORD, pk=pk)
    ApprovalRequest.objects.create(
        pk=pk,
        team=team,
        connection=plant,
        rule="product",
        operation="DeleteProduct",
        target=SECRET_WORD,
        requested_by=user,
        token=token,
        state="waiting",
        expires_at=timezone.now() + timedelta(hours=9),
        calls="[]",
    )
    AuditRecord.objects.create(
        pk=pk, team=team, operation="zulu", actor_label="zulu@zulu.test", target="zulu"
    )
    ExplorerCall.objects.create(pk=pk, user=user, connection=plant, operation="QueryDevice")
    return team


TEAM_MODELS = (
    *(Membership, CustomRole, Invitation, SignOnRule, ApiToken, Connection, Job, ApprovalRequest),
    AuditRecord,
)


def read_state(team: Team) -> list[Any]:
    """Return all rows of the second team as the database stores them, for comparison."""
    state: list[Any] = []
    with connection.cursor() as cursor:
        for model in (Team, *TEAM_MODELS, User):
            key = "team_id" if model in TEAM_MODELS else "id"
            cursor.execute(f"SELECT * FROM {model._meta.db_table} WHERE {key} = %s ORDER BY id", [team.pk])
            state.append(cursor.fetchall())
    return state


class QueryCounter:
    """Counts the queries inside `with`. Cheaper than CaptureQueriesContext, which also formats each of them."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> QueryCounter:
        self._installed = connection.execute_wrapper(self._execute)
        self._installed.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._installed.__exit__(*error)

    def _execute(self, execute: Callable[..., Any], *query: Any) -> Any:
        self.count += 1
        return execute(*query)


def comparable_text(url: str, response: Any, value: str) -> str:
    """Return the text of a response without the parts that differ for each request, and without the sent ID."""
    content = (b"".join(response.streaming_content) if response.streaming else response.content).decode()
    html = "html" in response.get("Content-Type", "")
    text = " ".join(re.sub(r"<[^>]*>", " ", content).split()) if html else content
    assert SECRET_WORD not in content, f"{url} shows data of the second team"
    text = "\n".join([text, *(response.get(name, "") for name in ("Location", "HX-Redirect", "X-Message"))])
    text = re.sub(
        r"fd_[0-9A-Za-z]+|/invitations/[\w-]+|[0-9a-f]{32,64}|[0-9A-F]{8}(-[0-9A-F]{4,12}){4}", "RANDOM", text
    )
    # PostgreSQL sequences are not rolled back.
    text = re.sub(r'"id": \d+', '"id": ID', text)
    text = re.sub(r"\d+ (milli)?seconds?|\d+ ms|\d\d:\d\d(:\d\d(\.\d+)?)?", "TIME", text)
    forms = {value, value.replace("@", "%40"), slugify(value)}
    return re.sub("|".join(map(re.escape, forms)), "ID", text)


SendRequest = Callable[[str], tuple[str, Any]]
"""Sends a request with an ID. Returns its address and the response."""


@dataclass
class Comparison:
    """Sends requests with an ID of the second team and with an unknown ID, rolls them back, and compares the responses."""

    second_team: Team
    upstream: _ReadOnlyTransport
    differences: list[str] = field(default_factory=list)
    requests: int = 0

    def __post_init__(self) -> None:
        # What a request writes is rolled back, so this is the state before each of them.
        self.state = read_state(self.second_team)

    def observe(self, send: SendRequest, value: str) -> tuple[int, str, int, int]:
        """Return status, text, number of queries and number of platform calls of a request."""
        self.requests += 1
        calls = self.upstream.calls
        with rollback():
            with QueryCounter() as queries:
                url, response = send(value)
                text = comparable_text(url, response, value)
            assert read_state(self.second_team) == self.state, f"{url} changed something of the second team"
        assert response.status_code != 500, url
        return response.status_code, text, queries.count, self.upstream.calls - calls

    def compare(self, label: str, send: SendRequest, theirs: str, unknown: str) -> None:
        # Twice, since the first request of a kind may fill a cache.
        for attempt in (1, 2):
            observed, expected = self.observe(send, theirs), self.observe(send, unknown)
            if observed == expected:
                return
            if attempt == 2:
                self.differences.append(f"{label} with {theirs}: {observed} but with {unknown}: {expected}")


@pytest.fixture
def comparison(second_team: Team, upstream: _ReadOnlyTransport) -> Comparison:
    return Comparison(second_team, upstream)


# -- addresses -----------------------------------------------------------------------------------------------------------

# Parts of an address that identify an object of the console; the others identify an object of the platform.
OWN_PARTS = {"team", "connection", "pk", "job", "slug"}
CLOUD_PARTS = {
    *(
        "key",
        "product_key",
        "name",
        "action",
        "group_id",
        "package_id",
        "batch_id",
        "kind",
        "operation",
        "short_name",
    ),
}


def test_every_part_of_an_address_belongs_to_the_console_or_the_platform() -> None:
    parts = {part for name in MEMBERS_ONLY for part in list_addresses()[name]}
    assert parts == OWN_PARTS | CLOUD_PARTS


def test_ids_in_addresses(populated: PopulatedTeam, sign_in: SignIn, comparison: Comparison) -> None:
    client = sign_in("owner")
    named_by = [
        (name, part) for name in (*MEMBERS_ONLY, *FOR_ALL) for part in list_addresses()[name] & OWN_PARTS
    ]
    for name, part in named_by:
        theirs, unknown = PAIRS[0] if part in {"pk", "job"} else PAIRS[1]
        for method in ("get", "post"):

            def send(value: str, name: str = name, part: str = part, method: str = method) -> tuple[str, Any]:
                url = populated.url(name, **{part: value})
                return url, send_request(client, method, url)

            comparison.compare(f"{method} {name} by {part}", send, theirs, unknown)
    assert comparison.differences == []
    assert comparison.requests > 300


def test_ids_in_addresses_without_sign_in(
    populated: PopulatedTeam, sign_in: SignIn, comparison: Comparison
) -> None:
    client = sign_in("")
    for name in (*MEMBERS_ONLY, *FOR_ALL):
        for part in list_addresses()[name] & {*OWN_PARTS, "uidb36"}:
            pair = PAIRS[1] if part in {"team", "connection", "slug"} else PAIRS[0]
            theirs, unknown = (int_to_base36(int(one)) for one in pair) if part == "uidb36" else pair

            def send(value: str, name: str = name, part: str = part) -> tuple[str, Any]:
                url = populated.url(name, **{part: value})
                return url, send_request(client, "get", url)

            comparison.compare(f"{name} by {part}", send, theirs, unknown)
    assert comparison.differences == []


# -- parameters that the code reads --------------------------------------------------------------------------------------


def find_parameters_in_code(source: str) -> list[str]:
    """Return the parameters that code reads directly from request.GET or request.POST, without a form."""
    pattern = re.compile(rf"request\.{source}(?:\.get(?:list)?\(|\[)\s*\"([\w.-]+)\"")
    files = Path(console.__file__).parent.rglob("*.py")
    return sorted({name for file in files for name in pattern.findall(file.read_text())})


def test_ids_in_every_parameter_that_the_code_reads(
    populated: PopulatedTeam, sign_in: SignIn, comparison: Comparison
) -> None:
    client = sign_in("owner")
    names = {"get": find_parameters_in_code("GET"), "post": find_parameters_in_code("POST")}
    assert {"token", "team", "product", "compare"} <= set(names["get"])
    # Parameters that select a response format or a button are left as a page would send them.
    plain = {"format", "seen", "shape", "version", "add_row", "remove_row", "code"}
    for name, may in MEMBERS_ONLY.items():
        for method, allowed in (("get", may.get), ("post", may.post)):
            for theirs, unknown in PAIRS[:2] if allowed else ():

                def send(value: str, name: str = name, method: str = method) -> tuple[str, Any]:
                    url = populated.url(name)
                    data = {one: value for one in names[method] if one not in plain}
                    return url, send_request(client, method, url, data)

                comparison.compare(f"{method} {name}", send, theirs, unknown)
    assert comparison.differences == []


# -- fields of forms -----------------------------------------------------------------------------------------------------


NAMESPACES = sorted({name.partition(":")[0] for name in PAGES})
# Namespaces without own objects of the console, except what every page has: one kind of ID is enough.
PLATFORM_NAMESPACES = {"dashboard", "explorer", *AREAS}


# Slugs are part of addresses and unique: that a slug is taken cannot be hidden from a user who wants it for a new team.
# Only team owners can try, and the response is the same as for a reserved slug.
EXCEPTION = ("post", "/teams/new/", "slug")


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_ids_in_every_field_of_every_form(
    populated: PopulatedTeam, sign_in: SignIn, comparison: Comparison, namespace: str
) -> None:
    client = sign_in("owner")
    fields = 0
    for form in list(find_forms(populated, client, namespace)):
        for name in form.values:
            if name == "csrfmiddlewaretoken" or (form.method, form.action, name) == EXCEPTION:
                continue
            fields += 1
            for theirs, unknown in PAIRS[:1] if namespace in PLATFORM_NAMESPACES else PAIRS:

                def send(value: str, form: Form = form, name: str = name) -> tuple[str, Any]:
                    # Empty fields are filled in, so that this field is validated.
                    rest = {other: values or ["1"] for other, values in form.values.items()}
                    rest = {other: [one or "1" for one in values] for other, values in rest.items()}
                    sent = urlencode({**rest, name: [value]}, doseq=True)
                    if form.method == "get":
                        url = f"{form.action.partition('?')[0]}?{sent}"
                        return url, send_request(client, "get", url)
                    data = parse_qs(sent, keep_blank_values=True)
                    return form.action, send_request(client, "post", form.action, data)

                comparison.compare(f"{form.method} {form.action} {name}", send, theirs, unknown)
    assert comparison.differences == []
    assert fields, "no form in this namespace"


# -- the HTTP API --------------------------------------------------------------------------------------------------------


def find_places(described: Any, body: Any) -> Iterator[tuple[str, ...]]:
    """Yield every place of an API request that takes a value: ("path", name), ("query", name), ("body", *keys)."""
    for parameter in described.get("parameters", ()):
        if parameter["in"] in {"path", "query"}:
            yield parameter["in"], parameter["name"]

    def inside(value: Any, *keys: str) -> Iterator[tuple[str, ...]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from inside(inner, *keys, key)
        elif isinstance(value, list):
            for at, inner in enumerate(value):
                yield from inside(inner, *keys, str(at))
        else:
            yield ("body", *keys)

    yield from inside(body) if isinstance(body, dict) else ()


def replace_value(body: Any, keys: tuple[str, ...], value: str) -> Any:
    """Return the body with another value at a place."""
    if not keys:
        return value
    if isinstance(body, list):
        return [
            replace_value(one, keys[1:], value) if str(at) == keys[0] else one for at, one in enumerate(body)
        ]
    return {
        name: replace_value(one, keys[1:], value) if name == keys[0] else one for name, one in body.items()
    }


def test_ids_in_every_parameter_of_the_api(
    populated: PopulatedTeam, create_program: CreateProgram, comparison: Comparison
) -> None:
    own_program, names = create_program("owner", "administrator"), find_names(populated)
    places = 0
    for operation_id, (path, method, described) in BY_ID.items():
        expectation = EXPECTED[operation_id]
        body = fill_in(expectation.body, names)
        for place in find_places(described, body):
            places += 1
            for theirs, unknown in PAIRS if place[0] == "body" else PAIRS[:2]:
                # An ID must be a number, a slug must not.
                if place[0] == "path" and (place[1] in {"job_id", "approval_id"}) != theirs.isdecimal():
                    continue

                def send(
                    value: str,
                    path: str = path,
                    method: str = method,
                    place: tuple[str, ...] = place,
                    body: Any = body,
                    expectation: Any = expectation,
                ) -> tuple[str, Any]:
                    path_values = {**names, place[1]: value} if place[0] == "path" else names
                    url = path.removeprefix(PREFIX).format(**path_values)
                    query = {
                        name: values[0]
                        for name, values in parse_qs(expectation.query.format(**names)).items()
                    }
                    if place[0] == "query":
                        query[place[1]] = value
                    sent = replace_value(body, place[1:], value) if place[0] == "body" else body
                    url = f"{url}?{urlencode(query)}"
                    if expectation.file:
                        form = {**sent, "file": SimpleUploadedFile(*expectation.file)}
                        keyed = {"Authorization": f"Bearer {own_program.credentials.key}"}
                        response: Any = Client().post(f"{PREFIX}{url}", form, headers=keyed)
                    else:
                        response = own_program.send(method, url, sent)
                    if response.streaming:
                        response.streaming_content = [b"".join(response.streaming_content)]
                    return url, response

                comparison.compare(f"{operation_id} {place}", send, theirs, unknown)
    assert comparison.differences == []
    assert places > 120


def make_response(status: int, text: str) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain")


def test_the_comparison_finds_differences(populated: PopulatedTeam, comparison: Comparison) -> None:
    """The comparison itself can fail."""

    def by_status(value: str) -> tuple[str, Any]:
        return "", make_response(404 if Job.objects.filter(pk=value).exists() else 200, "")

    def by_text(value: str) -> tuple[str, Any]:
        return "", make_response(200, json.dumps(Team.objects.filter(pk=value).count()))

    def by_queries(value: str) -> tuple[str, Any]:
        for job in Job.objects.filter(pk=value):
            job.refresh_from_db()
        return "", make_response(200, "")

    for send in (by_status, by_text, by_queries):
        comparison.compare("test", send, NUMBER, UNKNOWN_NUMBER)
    assert len(comparison.differences) == 3
    with pytest.raises(AssertionError, match="shows data of the second team"):
        comparison.observe(lambda value: ("", make_response(200, Team.objects.get(pk=value).name)), NUMBER)
    with pytest.raises(AssertionError, match="changed something"):
        comparison.observe(
            lambda value: (str(Job.objects.filter(pk=value).delete()), make_response(200, "")), NUMBER
        )
