"""A second team's ids in every place that takes one: whatever is asked with them is answered as for ids that never were.

The places are not listed here. Addresses come from the URLconf, form fields from the pages themselves, other parameters from
what the code reads, those of the API from its document. Every id is given twice, one of the second team and one that nobody
has: status, words, where it leads, the number of queries and of calls to the platform must be the same, and nothing of the
second team may be told or changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, reset_queries, transaction
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.http import int_to_base36
from django.utils.text import slugify

import console
from console.access.models import (
    ApiToken,
    AuditRecord,
    CustomRole,
    Invitation,
    Membership,
    SignOnRule,
    Team,
    User,
)
from console.approvals.models import ApprovalRequest
from console.cloud.catalogue import Access, operation
from console.connections import clients
from console.connections.models import Connection
from console.explorer.models import ExplorerCall
from console.jobs.models import Job
from tests.api.conftest import MakeProgram, _patient, program
from tests.api.test_matrix import BY_ID, EXPECTED, PREFIX, filled, named
from tests.populated import PopulatedTeam, Watched, addresses, fleet_copied, populated, seeded
from tests.test_urls_by_role import FOR_ALL, MEMBERS_ONLY

__all__ = ["_patient", "fleet_copied", "populated", "program", "seeded"]  # fixtures

SignIn = Callable[[str], Client]
# What everything of the second team is called and numbered, and beside it what nothing is.
NUMBER, NO_NUMBER = "424242", "414141"
PAIRS = [(NUMBER, NO_NUMBER), ("zulu", "zulx"), ("zulu@zulu.test", "zulx@zulx.test")]
SECRET_WORD = "Kilimanjaro"  # in the names of all that the second team has


@dataclass
class Form:
    """A form of a page: where it goes, how, and what a browser would send."""

    action: str
    method: str
    values: dict[str, list[str]] = field(default_factory=dict)


class _Page(HTMLParser):
    """The forms of a page, and the words that a person reads on it."""

    def __init__(self, url: str, html: str) -> None:
        super().__init__()
        self.url, self.forms, self.words = url, list[Form](), list[str]()
        self._select, self._area = "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = told.get("action") or told.get("hx-post") or told.get("hx-get") or self.url
            method = "post" if told.get("method", "").lower() == "post" or "hx-post" in told else "get"
            self.forms.append(Form(action, method))
        elif not self.forms:
            return
        elif tag == "input" and told.get("name") and told.get("type") not in {"submit", "file"}:
            values = self.forms[-1].values.setdefault(told["name"], [])
            if told.get("type") not in {"checkbox", "radio"} or "checked" in told:
                values.append(told.get("value", ""))
        elif tag == "button" and told.get("name"):
            self.forms[-1].values.setdefault(told["name"], [])
        elif tag == "select" and told.get("name"):
            self._select = told["name"]
            self.forms[-1].values.setdefault(self._select, [])
        elif tag == "option" and self._select and "selected" in told:
            self.forms[-1].values[self._select].append(told.get("value", ""))
        elif tag == "textarea" and told.get("name"):
            self._area = told["name"]
            self.forms[-1].values[self._area] = [""]

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self._select = self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1].values[self._area][0] += data
        elif data.strip():
            self.words.append(" ".join(data.split()))


class _ReadsOnly(Watched):
    """The platform, which refuses every write: so each request finds the fleet as it was."""

    def __init__(self, under: httpx.BaseTransport) -> None:
        super().__init__(under)
        self.calls = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        fields = parse_qs(request.url.query.decode()) | parse_qs(request.content.decode())
        if operation(fields["Action"][0]).access is not Access.READ:
            return httpx.Response(403, json={"Code": "Forbidden.RAM", "Message": "no", "RequestId": "1"})
        return super().handle_request(request)


@pytest.fixture
def upstream(populated: PopulatedTeam, monkeypatch: pytest.MonkeyPatch, settings: Any) -> _ReadsOnly:
    settings.CLOUD_CACHE_SECONDS = 0  # what was asked a moment ago would change the number of calls
    made = _ReadsOnly(populated.upstream)
    monkeypatch.setattr(clients, "transport_for", lambda connection: made)
    return made


@pytest.fixture
def second(populated: PopulatedTeam) -> Team:
    """A second team with one of everything, all of the same number and short name."""
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
    place = Connection.objects.create(
        pk=pk,
        team=team,
        slug="zulu",
        name=f"{SECRET_WORD} plant",
        endpoint="http://emulator.test",
        access_key_id="x",
        access_key_secret="y",
    )
    about = {"product_key": "zulu", "product_name": SECRET_WORD}
    Job.objects.create(
        pk=pk, team=team, connection=place, kind="devices.register", state="queued", params=about
    )
    ApprovalRequest.objects.create(
        pk=pk,
        team=team,
        connection=place,
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
    ExplorerCall.objects.create(pk=pk, user=user, connection=place, operation="QueryDevice")
    return team


OF_THE_TEAM = (
    *(Membership, CustomRole, Invitation, SignOnRule, ApiToken, Connection, Job, ApprovalRequest),
    AuditRecord,
)


def state_of(team: Team) -> list[Any]:
    """Everything that the second team has, to be compared."""
    found: list[Any] = [list(Team.objects.filter(pk=team.pk).values_list())]
    found += [list(model.objects.filter(team=team).order_by("pk").values_list()) for model in OF_THE_TEAM]
    return [*found, list(User.objects.filter(pk=team.pk).values_list())]


def words_of(url: str, answer: Any, given: str) -> str:
    """What an answer tells, without what differs at every request, and without the id that was asked with."""
    content = (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()
    html = "html" in answer.get("Content-Type", "")
    text = "\n".join(_Page(url, content).words) if html else content
    assert SECRET_WORD not in content, f"{url} tells of the second team"
    said = "\n".join([text, *(answer.get(name, "") for name in ("Location", "HX-Redirect", "X-Message"))])
    said = re.sub(
        r"fd_[0-9A-Za-z]+|/invitations/[\w-]+|[0-9a-f]{32,64}|[0-9A-F]{8}(-[0-9A-F]{4,12}){4}", "RANDOM", said
    )
    # PostgreSQL counts on when a row is taken back.
    said = re.sub(r'"id": \d+', '"id": ID', said)
    said = re.sub(r"\d+ (milli)?seconds?|\d+ ms|\d\d:\d\d(:\d\d(\.\d+)?)?", "TIME", said)
    written = {given, given.replace("@", "%40"), slugify(given)}
    return re.sub("|".join(map(re.escape, written)), "ID", said)


Ask = Callable[[str], tuple[str, Any]]
"""Makes a request with an id: its address, and the answer."""


@dataclass
class Asker:
    """Asks with an id of the second team and with one of nobody's, undoing all that it does, and compares."""

    second: Team
    upstream: _ReadsOnly
    wrong: list[str] = field(default_factory=list)
    asked: int = 0

    def told(self, ask: Ask, given: str) -> tuple[int, str, int, int]:
        """Status, words, queries, calls."""
        self.asked += 1
        before, calls = self.state, self.upstream.calls
        with undone():
            reset_queries()  # of which only so many are kept
            with CaptureQueriesContext(connection) as queries:
                url, answer = ask(given)
                words = words_of(url, answer, given)
            assert state_of(self.second) == before, f"{url} changed something of the second team"
        assert answer.status_code != 500, url
        return answer.status_code, words, len(queries), self.upstream.calls - calls

    @property
    def state(self) -> list[Any]:
        return state_of(self.second)

    def compare(self, what: str, ask: Ask, theirs: str, nobodys: str) -> None:
        # Twice, for what the first request of a kind learns the second one knows.
        for attempt in (1, 2):
            known, unknown = self.told(ask, theirs), self.told(ask, nobodys)
            if known == unknown:
                return
            if attempt == 2:
                self.wrong.append(f"{what} with {theirs}: {known} but for nobody's {unknown}")


@pytest.fixture
def asker(second: Team, upstream: _ReadsOnly) -> Asker:
    return Asker(second, upstream)


class undone:  # noqa: N801 - used as a keyword is
    """What happens inside is taken back; records of the trail, which want no transaction around them, are written as ever."""

    def __enter__(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic._from_testcase = True  # type: ignore[attr-defined]
        self.atomic.__enter__()

    def __exit__(self, *error: Any) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(*error)


def browser(client: Client, method: str, url: str, data: Any = None, **headers: str) -> Any:
    """A request that leaves the browser as it was: what it did to the session is undone too."""
    kept = {name: morsel.value for name, morsel in client.cookies.items()}
    answer = getattr(client, method)(url, data or {}, headers=headers)
    if answer.streaming:  # read while the database is as the request saw it
        answer.streaming_content = [b"".join(answer.streaming_content)]
    client.cookies.clear()
    for name, value in kept.items():
        client.cookies[name] = value
    return answer


# -- addresses -----------------------------------------------------------------------------------------------------------

# Parts of an address that name something of the console's own; the others name something of the platform's.
OWN_PARTS = {"team", "connection", "pk", "job", "slug"}
CLOUD_PARTS = {
    *("key", "product_key", "name", "action", "group_id", "package_id", "batch_id", "kind", "operation"),
}


def test_every_part_of_an_address_is_ours_or_the_platforms() -> None:
    parts = {part for name in MEMBERS_ONLY for part in addresses()[name]}
    assert parts == OWN_PARTS | CLOUD_PARTS


def test_ids_in_addresses(populated: PopulatedTeam, sign_in: SignIn, asker: Asker) -> None:
    client = sign_in("owner")
    named_by = [(name, part) for name in (*MEMBERS_ONLY, *FOR_ALL) for part in addresses()[name] & OWN_PARTS]
    for name, part in named_by:
        theirs, nobodys = PAIRS[0] if part in {"pk", "job"} else PAIRS[1]
        for method in ("get", "post"):

            def ask(given: str, name: str = name, part: str = part, method: str = method) -> tuple[str, Any]:
                url = populated.url(name, **{part: given})
                return url, browser(client, method, url)

            asker.compare(f"{method} {name} by {part}", ask, theirs, nobodys)
    assert asker.wrong == []
    assert asker.asked > 300


def test_ids_in_addresses_of_nobody_who_is_signed_in(
    populated: PopulatedTeam, sign_in: SignIn, asker: Asker
) -> None:
    client = sign_in("")
    for name in (*MEMBERS_ONLY, *FOR_ALL):
        for part in addresses()[name] & {*OWN_PARTS, "uidb36"}:
            pair = PAIRS[1] if part in {"team", "connection", "slug"} else PAIRS[0]
            theirs, nobodys = (int_to_base36(int(one)) for one in pair) if part == "uidb36" else pair

            def ask(given: str, name: str = name, part: str = part) -> tuple[str, Any]:
                url = populated.url(name, **{part: given})
                return url, browser(client, "get", url)

            asker.compare(f"{name} by {part}", ask, theirs, nobodys)
    assert asker.wrong == []


# -- parameters that the code reads --------------------------------------------------------------------------------------


def read_by_the_code(source: str) -> list[str]:
    """Names of parameters that some code takes from request.GET or request.POST by themselves, outside of forms."""
    pattern = re.compile(rf"request\.{source}(?:\.get(?:list)?\(|\[)\s*\"([\w.-]+)\"")
    files = Path(console.__file__).parent.rglob("*.py")
    return sorted({name for file in files for name in pattern.findall(file.read_text())})


def test_ids_in_every_parameter_that_is_read(populated: PopulatedTeam, sign_in: SignIn, asker: Asker) -> None:
    client = sign_in("owner")
    names = {"get": read_by_the_code("GET"), "post": read_by_the_code("POST")}
    assert {"token", "team", "product", "compare"} <= set(names["get"])
    # What chooses a form of answer or a button is left as a page would send it.
    plain = {"format", "seen", "shape", "version", "grow", "drop", "code"}
    for name, may in MEMBERS_ONLY.items():
        for method, allowed in (("get", may.get), ("post", may.post)):
            for theirs, nobodys in PAIRS[:2] if allowed else ():

                def ask(given: str, name: str = name, method: str = method) -> tuple[str, Any]:
                    url = populated.url(name)
                    data = {one: given for one in names[method] if one not in plain}
                    return url, browser(client, method, url, data)

                asker.compare(f"{method} {name}", ask, theirs, nobodys)
    assert asker.wrong == []


# -- fields of forms -----------------------------------------------------------------------------------------------------


PERSONAL = [name for name in FOR_ALL if name.startswith("access:") and name != "access:invitation-link"]
PAGES = [*(name for name, may in MEMBERS_ONLY.items() if may.get), *PERSONAL]
ROOMS = sorted({name.partition(":")[0] for name in PAGES})
# Rooms that have nothing of the console's own but what every page has: there one kind of id is enough.
OF_THE_PLATFORM = {"dashboard", "devices", "groups", "ota", "products", "explorer"}


# A short name is an address, and there is one of each: that it is taken cannot be hidden from who wants it for a team of
# their own. Only owners of a team can ask, and the answer is that of a reserved name.
KNOWN = ("post", "/teams/new/", "slug")


def forms_of(populated: PopulatedTeam, client: Client, room: str) -> Iterator[Form]:
    """Every form of every page of a room that an owner can open, each once."""
    known = set()
    for name in (name for name in PAGES if name.partition(":")[0] == room):
        url = populated.url(name)
        with undone():
            answer = browser(client, "get", url)
        if answer.status_code != 200 or "html" not in answer["Content-Type"]:
            continue
        for form in _Page(url, answer.content.decode()).forms:
            form.action = form.action if form.action.startswith("/") else url
            key = form.method, urlsplit(form.action).path, *sorted(form.values)
            if key not in known and not form.action.startswith(("/accounts/", "/i18n/")):
                known.add(key)
                yield form


@pytest.mark.parametrize("room", ROOMS)
def test_ids_in_every_field_of_every_form(
    populated: PopulatedTeam, sign_in: SignIn, asker: Asker, room: str
) -> None:
    client = sign_in("owner")
    fields = 0
    for form in list(forms_of(populated, client, room)):
        for name in form.values:
            if name == "csrfmiddlewaretoken" or (form.method, form.action, name) == KNOWN:
                continue
            fields += 1
            for theirs, nobodys in PAIRS[:1] if room in OF_THE_PLATFORM else PAIRS:

                def ask(given: str, form: Form = form, name: str = name) -> tuple[str, Any]:
                    # What a page leaves for the person to fill in is filled in, so that this field is looked at last.
                    rest = {other: values or ["1"] for other, values in form.values.items()}
                    rest = {other: [one or "1" for one in values] for other, values in rest.items()}
                    sent = urlencode({**rest, name: [given]}, doseq=True)
                    if form.method == "get":
                        url = f"{form.action.partition('?')[0]}?{sent}"
                        return url, browser(client, "get", url)
                    data = parse_qs(sent, keep_blank_values=True)
                    return form.action, browser(client, "post", form.action, data)

                asker.compare(f"{form.method} {form.action} {name}", ask, theirs, nobodys)
    assert asker.wrong == []
    assert fields, "a room without a form"


# -- the HTTP API --------------------------------------------------------------------------------------------------------


def places_of(described: Any, body: Any) -> Iterator[tuple[str, ...]]:
    """Every place of a request of the API that takes a value: ("path", name), ("query", name), ("body", *keys)."""
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


def put(body: Any, keys: tuple[str, ...], given: str) -> Any:
    """The body with another value at a place."""
    if not keys:
        return given
    if isinstance(body, list):
        return [put(one, keys[1:], given) if str(at) == keys[0] else one for at, one in enumerate(body)]
    return {name: put(one, keys[1:], given) if name == keys[0] else one for name, one in body.items()}


def test_ids_in_every_parameter_of_the_api(
    populated: PopulatedTeam, program: MakeProgram, asker: Asker
) -> None:
    mine, names = program("owner", "administrator"), named(populated)
    places = 0
    for operation_id, (path, method, described) in BY_ID.items():
        wanted = EXPECTED[operation_id]
        body = filled(wanted.body, names)
        for place in places_of(described, body):
            places += 1
            for theirs, nobodys in PAIRS if place[0] == "body" else PAIRS[:2]:
                # Paths whose numbers or short names are no such things are no addresses.
                if place[0] == "path" and (place[1] in {"job_id", "approval_id"}) != theirs.isdecimal():
                    continue

                def ask(
                    given: str,
                    path: str = path,
                    method: str = method,
                    place: tuple[str, ...] = place,
                    body: Any = body,
                    wanted: Any = wanted,
                ) -> tuple[str, Any]:
                    taken = {**names, place[1]: given} if place[0] == "path" else names
                    url = path.removeprefix(PREFIX).format(**taken)
                    asked = {
                        name: values[0] for name, values in parse_qs(wanted.query.format(**names)).items()
                    }
                    if place[0] == "query":
                        asked[place[1]] = given
                    sent = put(body, place[1:], given) if place[0] == "body" else body
                    url = f"{url}?{urlencode(asked)}"
                    if wanted.file:
                        form = {**sent, "file": SimpleUploadedFile(*wanted.file)}
                        keyed = {"Authorization": f"Bearer {mine.made.key}"}
                        answer: Any = Client().post(f"{PREFIX}{url}", form, headers=keyed)
                    else:
                        answer = mine.ask(method, url, sent)
                    if answer.streaming:
                        answer.streaming_content = [b"".join(answer.streaming_content)]
                    return url, answer

                asker.compare(f"{operation_id} {place}", ask, theirs, nobodys)
    assert asker.wrong == []
    assert places > 120


def said(status: int, text: str) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain")


def test_the_comparison_finds_what_tells_the_two_apart(populated: PopulatedTeam, asker: Asker) -> None:
    """That all of the above can fail."""

    def by_status(given: str) -> tuple[str, Any]:
        return "", said(404 if Job.objects.filter(pk=given).exists() else 200, "")

    def by_words(given: str) -> tuple[str, Any]:
        return "", said(200, json.dumps(Team.objects.filter(pk=given).count()))

    def by_work(given: str) -> tuple[str, Any]:
        for job in Job.objects.filter(pk=given):
            job.refresh_from_db()
        return "", said(200, "")

    for ask in (by_status, by_words, by_work):
        asker.compare("made up", ask, NUMBER, NO_NUMBER)
    assert len(asker.wrong) == 3
    with pytest.raises(AssertionError, match="tells of the second team"):
        asker.told(lambda given: ("", said(200, Team.objects.get(pk=given).name)), NUMBER)
    with pytest.raises(AssertionError, match="changed something"):
        asker.told(lambda given: (str(Job.objects.filter(pk=given).delete()), said(200, "")), NUMBER)
