"""The frame: navigation by role, the switcher, and pages without a team."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from console.accounts.models import Membership, Team
from console.accounts.roles import BUILT_IN, OWNER
from console.connections.models import Connection
from console.jobs.models import Job
from console.ui.context import Shell
from console.ui.links import connection_url
from console.ui.navigation import navigation_entries
from tests.conftest import KEY_ID
from tests.populated import list_addresses
from tests.registrations import create_registration


def build_shell(rf, org, role, path=""):
    request = rf.get(path if path.startswith("/") else org.url(path))
    request.user = org.members[role]
    request.membership = org.team.memberships.get(user=request.user)
    request.team, request.connection = org.team, org.connection
    from django.urls import resolve

    request.resolver_match = resolve(request.path)
    return Shell(request)


@pytest.mark.parametrize("role", BUILT_IN)
def test_every_navigation_entry_works_and_a_role_sees_the_entries_it_may_read(rf, org, role):
    shell = build_shell(rf, org, role)
    settings = build_shell(rf, org, role, f"/{org.team.slug}/-/members/").settings
    shown = {item.url for group in shell.navigation for item in group.items} | {item.url for item in settings}
    levels = BUILT_IN[role]
    expected = {
        connection_url(shell.request, entry.name)
        for entry in navigation_entries()
        if not entry.area or levels.level(entry.area) >= entry.level
    }
    assert shown == expected


def test_one_navigation_entry_is_marked_as_current(rf, org):
    shell = build_shell(rf, org, "owner", "devices/new/")
    current = [item.label for group in shell.navigation for item in group.items if item.current]
    assert current == ["Devices"]


def test_the_switcher_lists_only_the_users_own_teams_and_connections(rf, org):
    shell = build_shell(rf, org, "owner")
    assert [entry.label for entry in shell.teams] == ["Acme Energy"]
    assert [(entry.label, entry.current) for entry in shell.connections] == [("Sandbox", True)]
    assert shell.search == reverse("devices:search", args=["acme", "sandbox"])
    assert shell.tray == reverse("jobs:tray", args=["acme", "sandbox"])


def test_the_frame_works_without_a_team(rf, db):
    shell = Shell(rf.get("/"))
    assert shell.navigation == ()
    assert shell.connections == []
    assert shell.teams == []
    assert shell.search == shell.tray == ""
    assert not shell.is_signed_in


@pytest.mark.parametrize(
    ("cookie", "theme"), [("dark", "dark"), ("light", "light"), ("x' onload=", "auto"), ("", "auto")]
)
def test_a_valid_cookie_sets_the_theme(rf, cookie, theme):
    request = rf.get("/")
    request.COOKIES["theme"] = cookie
    assert Shell(request).theme == theme


def test_the_profile_sets_the_theme_without_a_cookie(rf, org):
    org.members["owner"].theme = "dark"
    assert build_shell(rf, org, "owner").theme == "dark"


def test_the_sign_in_page_uses_the_theme_of_the_cookie(client, db):
    client.cookies["theme"] = "dark"
    html = client.get(reverse("account_login")).content.decode()
    assert re.search(r'<html[^>]+data-bs-theme="dark"', html)


@pytest.mark.parametrize("page", ["groups", "members"])
def test_the_frame_makes_few_database_queries_for_any_team_size(
    org, emulator, sign_in, django_assert_max_num_queries, page
):
    for number in range(5):
        Connection.objects.create(
            team=org.team, slug=f"site-{number}", name=f"Site {number}", access_key_id=KEY_ID
        )
        Membership.objects.create(
            team=Team.objects.create(slug=f"team-{number}", name=f"Team {number}"),
            user=org.members["owner"],
            role_slug="owner",
        )
    client = sign_in("owner")
    url = org.url("groups/") if page == "groups" else f"/{org.team.slug}/-/members/"
    client.get(url)
    # Session, user, membership, connection; on the page of members also members, their second factors, invitations and names.
    with django_assert_max_num_queries(4 if page == "groups" else 9):
        assert client.get(url).status_code == 200


SETTINGS = ["Members", "Roles", "Team tokens", "Single sign-on", "Connections", "Team settings"]


def test_the_settings_are_one_entry_of_the_sidebar_and_link_to_each_other(org, sign_in):
    client = sign_in("owner")
    overview = client.get(org.url()).content.decode()
    assert overview.count('title="Settings"') == 1
    assert "fd-settings-nav" not in overview
    for page in ("members/", "roles/", "roles/add/", "tokens/", "sign-on/", "connections/", "settings/"):
        html = client.get(f"/{org.team.slug}/-/{page}").content.decode()
        links = html[html.index("fd-settings-nav") : html.index("fd-page-head")]
        assert re.findall(r">([^<>]+)</a>", links) == SETTINGS, page
        assert links.count('aria-current="page"') == 1, page
        assert re.search(r'aria-current="page" title="Settings"', html), page
    assert 'title="Audit trail"' in overview, "one click away"


def test_pages_of_the_team_and_of_the_user_show_no_connection_and_keep_the_navigation(org, sign_in):
    client = sign_in("owner")
    client.get(org.url())
    for page in (f"/{org.team.slug}/-/members/", "/account/profile/", "/account/tokens/", "/teams/new/"):
        html = client.get(page).content.decode()
        assert 'aria-label="Team Acme Energy: switch"' in html, page
        assert "fd-switch-connection" not in html, page
        assert f'href="{org.url("products/")}"' in html, page
        crumbs = html[html.index("fd-crumbs") : html.index("fd-page-title")]
        assert org.team.name not in crumbs, page


def test_a_user_who_lacks_a_required_second_factor_sees_no_navigation_of_the_team(org, sign_in):
    org.team.second_factor_required = True
    org.team.save()
    client = sign_in("viewer")
    html = client.get("/account/security/").content.decode()
    assert "fd-nav-item" not in html
    assert "job-tray" not in html
    assert org.url("products/") not in html


def test_the_overview_is_called_so_and_the_browser_title_names_the_connection(org, emulator, sign_in):
    html = sign_in("owner").get(org.url()).content.decode()
    assert "<title>Overview · Sandbox · Fleetdesk</title>" in html
    assert re.search(r'<h1 class="fd-page-title">\s*Overview\s*</h1>', html)


def test_account_pages_cost_few_more_queries_than_without_the_frame(
    org, sign_in, django_assert_max_num_queries
):
    client = sign_in("owner")
    client.get(org.url("jobs/"))
    client.get("/account/api/")
    # Session, user; memberships, connections.
    with django_assert_max_num_queries(4):
        assert client.get("/account/api/").status_code == 200


@pytest.mark.parametrize(
    ("role", "scope"),
    [(role, scope) for role in BUILT_IN for scope in ("", "product", "group") if role != OWNER or not scope],
)
def test_every_entry_of_the_navigation_can_be_opened(populated, sign_in, role, scope):
    products = {"products": [populated.things["products"]["key"]]}
    groups = {"groups": [populated.things["groups"]["group_id"]]}
    access_scope = {"": {}, "product": products, "group": groups}[scope]
    Membership.objects.filter(team=populated.org.team, user=populated.org.members[role]).update(
        access_scope=access_scope
    )
    client = sign_in(role)
    sidebar = client.get(populated.org.url()).content.decode().partition("</aside>")[0]
    urls = re.findall(r'class="fd-nav-item[^"]*" href="([^"]+)"', sidebar)
    assert len(urls) >= 5
    for url in urls:
        page = client.get(url)
        assert page.status_code == 200, url
        settings = page.content.decode().partition("fd-settings-nav")[2].partition("</nav>")[0]
        for other in re.findall(r'href="([^"]+)"', settings):
            assert client.get(other).status_code == 200, other


def test_the_tabs_of_an_object_have_different_titles_in_the_browser(populated, sign_in):
    client = sign_in("owner")
    names = ("devices:detail", "devices:tags", "devices:groups", "devices:updates", "devices:topics")
    pages = [client.get(populated.url(name)) for name in names if name in list_addresses()]
    titles = [re.search("<title>([^<]*)</title>", page.content.decode())[1].split(" · ") for page in pages]
    assert len(titles) >= 3
    first, *others = titles
    assert first[0] == populated.things["devices"]["name"]
    assert all(title[1:] == first for title in others)
    assert len({title[0] for title in titles}) == len(titles)


def test_the_job_tray_counts_failed_jobs_until_the_user_opens_the_list(org, sign_in):
    create_registration(org.connection, state=Job.State.FAILED, finished_at=timezone.now())
    create_registration(
        org.connection, state=Job.State.FAILED, finished_at=timezone.now() - timedelta(days=2)
    )
    create_registration(org.connection, state=Job.State.SUCCEEDED, finished_at=timezone.now())
    client = sign_in("owner")

    def count():
        tray = client.get(org.url("jobs/tray/")).content.decode()
        return re.search(r'id="failed-jobs"[^>]*?( hidden)?>\s*(\d+)', tray).groups()

    assert count() == (None, "1")
    client.cookies["jobs_seen"] = "9" * 5_000
    assert count() == (None, "1")
    cookie = client.get(org.url("jobs/")).cookies["jobs_seen"]
    assert (cookie["path"], cookie["httponly"]) == (org.url("jobs/"), True)
    Job.objects.filter(state=Job.State.FAILED).update(finished_at=timezone.now() - timedelta(minutes=1))
    assert count() == (" hidden", "0")
