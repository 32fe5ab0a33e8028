"""The grid of the pages: where titles, forms, lists and buttons stand, wide and narrow."""

from __future__ import annotations

import pytest

from tests.browser import NARROW, WIDE
from tests.journeys.browser_user import BrowserUser, list_links

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.timeout(300)]

FORM_WIDTH, PAGE_WIDTH = 720, 1440
# Of each form in the page: the distance of its card, or of itself if it consists of cards, from the left edge of the title.
MEASURE_FORMS = """() => {
    const start = document.querySelector("h1").getBoundingClientRect().left;
    const forms = [...document.querySelectorAll("#content form[method=post]:not(header form, table form, .list-group form)")];
    return forms.map(form => (form.closest(".card") ?? form).getBoundingClientRect()).map(box => [box.left - start, box.width]);
}"""
MEASURE_EDGES = """() => {
    const inside = (name, last) => {
        const children = [...document.querySelector(name).children].filter(one => one.checkVisibility());
        return children.at(last).getBoundingClientRect();
    };
    const content = document.querySelector(".fd-page-head").getBoundingClientRect();
    return {left: content.left, right: content.right, top_right: inside(".fd-top", -1).right,
            top_left: document.querySelector(".fd-top .fd-switch span").getBoundingClientRect().left};
}"""

# Of each card with a title and a table: where the texts of the title, of the first head and of the first cell begin.
MEASURE_TITLED_TABLES = """() => {
    const start = element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        return Math.round(range.getBoundingClientRect().left);
    };
    const cards = [...document.querySelectorAll("#content .card:has(.card-title):has(tbody tr)")];
    return cards.map(card => [".card-title", "thead th", "tbody :is(th, td)"].map(name => start(card.querySelector(name))));
}"""

CONTRAST = """([front, ground]) => {
    const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const probe = document.body.appendChild(document.createElement("i"));
    const measure = name => {
        probe.style.color = `var(${name})`;
        context.fillStyle = getComputedStyle(probe).color;
        context.fillRect(0, 0, 1, 1);
        const parts = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map(part => part / 255);
        const linear = parts.map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05;
    };
    const [low, high] = [measure(front), measure(ground)].sort((a, b) => a - b);
    probe.remove();
    return high / low;
}"""


def list_form_pages(me: BrowserUser) -> list[str]:
    """The paths of the pages with a form: creation, change, confirmation, settings."""
    cloud, key = "/demo/sandbox", me.find_product_key()
    [device, *_] = list_links(
        me.page, f"{me.base}{cloud}/devices/?product={key}", rf"{cloud}/devices/{key}/[^/]+/"
    )
    [group, *_] = list_links(me.page, f"{me.base}{cloud}/groups/", rf"{cloud}/groups/\w{{10,}}/")
    packages = list_links(me.page, f"{me.base}{cloud}/ota/batches/new/", rf"{cloud}/ota/packages/\w+/batch/")
    [batch, *_] = list_links(me.page, f"{me.base}{cloud}/ota/batches/", rf"{cloud}/ota/batches/(?!new)\w+/")
    members = list_links(me.page, f"{me.base}/demo/-/members/", r"/demo/-/members/\d+/")
    return [
        *(
            f"{cloud}/products/{path}"
            for path in ("new/", f"{key}/edit/", f"{key}/unpublish/", f"{key}/tags/set/")
        ),
        *(f"{cloud}/devices/{path}" for path in (f"new/?product={key}", "registrations/new/")),
        *(device + path for path in ("rename/", "disable/", "delete/", "groups/add/")),
        *(f"{cloud}/groups/new/", group + "devices/add/", group + "edit/", group + "delete/"),
        *(packages[0], packages[0].replace("batch/", "dynamic/"), packages[0].replace("batch/", "delete/")),
        *(f"{cloud}/ota/packages/new/", f"{cloud}/ota/modules/{key}/new/", batch + "cancel/"),
        *(f"{cloud}/messaging/{path}" for path in ("routes/new/", f"products/{key}/new/")),
        *(f"/demo/-/connections/{path}" for path in ("add/", "sandbox/edit/", "sandbox/delete/")),
        *("/demo/-/members/invite/", "/demo/-/roles/add/", "/demo/-/tokens/add/", "/demo/-/tokens/own/add/"),
        *(members[-1] + path for path in ("edit/", "transfer/", "remove/")),
        *("/demo/-/settings/", "/demo/-/settings/delete/", "/demo/-/sign-on/add/", "/demo/-/sign-on/try/"),
        *("/teams/new/", "/account/profile/"),
    ]


def test_every_form_starts_below_its_title_and_is_at_most_720_pixels_wide(open_browser_as):
    me = open_browser_as()
    findings = []
    for path in list_form_pages(me):
        me.page.goto(me.base + path)
        for width in (WIDE[0], 1920):
            me.page.set_viewport_size({"width": width, "height": 900})
            measured = me.page.evaluate(MEASURE_FORMS)
            if not measured or any(left or wide > FORM_WIDTH for left, wide in measured):
                findings.append(f"{path} at {width}: {measured}")
    assert not findings, "\n".join(findings)


def test_an_empty_part_of_a_page_takes_a_line(open_browser_as):
    me = open_browser_as()
    me.page.goto(f"{me.base}/demo/-/tokens/")
    part = me.page.locator(".card:has(.card-title)", has_text="No personal tokens yet")
    assert part.bounding_box()["height"] < 120


def test_a_field_for_a_number_is_no_wider_than_one_of_two_fields_side_by_side(open_browser_as):
    me = open_browser_as()
    measure = "fields => fields.map(field => field.getBoundingClientRect().width)"
    for path in ("/demo/-/settings/", "/demo/sandbox/explorer/QueryDevice/"):
        me.page.goto(me.base + path)
        widths = me.page.eval_on_selector_all(".fd-field > :is([type=number], [inputmode])", measure)
        assert widths, path
        assert max(widths) <= FORM_WIDTH / 2, path


@pytest.mark.parametrize("width", [1200, 1440])
def test_a_table_begins_where_the_title_of_its_card_begins(width, open_browser_as):
    me = open_browser_as()
    me.page.set_viewport_size({"width": width, "height": 900})
    [member, *_] = list_links(me.page, f"{me.base}/demo/-/members/", r"/demo/-/members/\d+/")
    for path in (
        member,
        "/demo/sandbox/devices/search/?q=Smart",
        "/demo/-/roles/operator/",
        "/account/security/",
    ):
        me.page.goto(me.base + path)
        measured = me.page.evaluate(MEASURE_TITLED_TABLES)
        assert measured, path
        assert all(len(set(starts)) == 1 for starts in measured), (path, measured)


@pytest.mark.parametrize("width", [1024, 1440, 1920, 2560])
def test_top_bar_and_page_have_the_same_edges(width, open_browser_as):
    me = open_browser_as()
    me.page.set_viewport_size({"width": width, "height": 900})
    for path in ("products/", "devices/new/"):
        me.open(path)
        edges = me.page.evaluate(MEASURE_EDGES)
        assert edges["right"] - edges["left"] <= PAGE_WIDTH
        assert edges["top_right"] == pytest.approx(edges["right"], abs=8)
        if width > 1024:  # narrower, the button of the sidebar is before it
            assert edges["top_left"] == pytest.approx(edges["left"], abs=1)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_titles_are_at_one_height_and_lists_at_one_distance_below(size, open_browser_as):
    me = open_browser_as()
    me.page.set_viewport_size({"width": size[0], "height": size[1]})
    connection = (
        "products/",
        "devices/",
        "groups/",
        "ota/packages/",
        "ota/batches/",
        "messaging/",
        "jobs/",
    )
    titles, gaps = {}, {}
    for path in connection:
        me.open(path)
        titles[path] = me.page.locator("h1").bounding_box()["y"]
        bar = me.page.locator(".fd-list-bar").filter(visible=True)
        if bar.count():
            head = me.page.locator(".fd-page-head").bounding_box()
            gaps[path] = bar.bounding_box()["y"] - head["y"] - head["height"]
    assert len(set(titles.values())) == 1, titles
    assert len(set(gaps.values())) == 1, gaps


def test_tabs_stay_in_one_row_and_show_the_current_one(open_browser_as):
    me = open_browser_as()
    me.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    for path in (
        "members/",
        "roles/",
        "tokens/",
        "sign-on/",
        "connections/",
        "settings/",
        "audit/",
        "audit/reads/",
    ):
        me.page.goto(f"{me.base}/demo/-/{path}")
        row = me.page.locator(".fd-tabs").bounding_box()
        tabs = me.page.locator(".fd-tab").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().top)"
        )
        current = me.page.locator(".fd-tab-current").bounding_box()
        assert len(set(tabs)) == 1, path
        assert row["x"] <= current["x"], path
        assert current["x"] + current["width"] <= row["x"] + row["width"], path


def test_the_actions_of_a_phone_page_have_equal_widths_and_the_menu_is_beside_the_title(open_browser_as):
    me = open_browser_as()
    package = list_links(
        me.page, f"{me.base}/demo/sandbox/ota/batches/new/", r"/demo/sandbox/ota/packages/\w+/batch/"
    )[0].replace("batch/", "")
    [group, *_] = list_links(me.page, f"{me.base}/demo/sandbox/groups/", r"/demo/sandbox/groups/\w{10,}/")
    me.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    for path in (package, group, f"/demo/sandbox/products/{me.find_product_key()}/"):
        me.page.goto(me.base + path)
        actions = me.page.locator(".fd-page-actions .btn:visible")
        boxes = [one.bounding_box() for one in actions.all()]
        title = me.page.locator("h1").bounding_box()
        menu = boxes.pop()
        assert menu["y"] < title["y"] + title["height"] <= boxes[0]["y"], path
        assert len({box["width"] for box in boxes}) == 1, (path, boxes)


def test_a_topic_breaks_only_after_its_slashes_and_fits_a_phone(open_browser_as):
    me = open_browser_as()
    key = me.find_product_key()
    me.page.set_viewport_size({"width": 360, "height": 800})
    for path in (f"messaging/products/{key}/", f"messaging/routes/?topic=/{key}/none/user/update"):
        me.open(path)
        cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.outerHTML.slice(0, 80))"
        assert me.page.eval_on_selector_all(".fd-scroll, #content", cut) == []
    me.open(f"messaging/products/{key}/")
    parts = me.page.locator(".fd-path-part")
    assert set(parts.all_inner_texts()) >= {f"/{key}/", "user/", "update"}
    assert set(parts.evaluate_all("all => all.map(one => one.getClientRects().length)")) == {1}
    assert len(set(parts.evaluate_all("all => all.map(one => one.offsetHeight)"))) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_a_contrast_of_4_5_to_1_and_borders_of_controls_3_to_1(theme, open_browser_as):
    me = open_browser_as()
    me.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    me.open("devices/new/")
    me.page.wait_for_function(f"document.documentElement.dataset.bsTheme === '{theme}'")
    for name in ("--fd-outline", "--fd-accent", "--fd-good", "--fd-warn", "--fd-bad"):
        for ground in ("--fd-surface", "--fd-page", "--tblr-bg-forms"):
            assert me.page.evaluate(CONTRAST, [name, ground]) >= 3, (name, ground)
    for name in ("--fd-text", "--fd-muted-solid", "--fd-accent-text", "--fd-bad"):
        for ground in (
            "--fd-surface",
            "--fd-page",
            "--fd-sunken",
            "--fd-disabled",
            "--tblr-bg-forms",
            "--tblr-code-bg",
        ):
            assert me.page.evaluate(CONTRAST, [name, ground]) >= 4.5, (name, ground)
    controls = me.page.locator(
        "#content :is(.form-control, .form-select, .btn:not(.btn-primary, .btn-ghost))"
    )
    assert controls.count() > 2
    assert len(set(controls.evaluate_all("all => all.map(one => getComputedStyle(one).borderTopColor)"))) == 1


def test_every_object_shows_its_state_in_the_same_strip(open_browser_as):
    me = open_browser_as()
    cloud, key = f"{me.base}/demo/sandbox", me.find_product_key()
    lists = {
        f"devices/?product={key}": rf"/demo/sandbox/devices/{key}/[^/]+/",
        "groups/": r"/demo/sandbox/groups/\w{10,}/",
        "ota/packages/": r"/demo/sandbox/ota/packages/(?!new)\w+/",
        "ota/batches/": r"/demo/sandbox/ota/batches/(?!new)\w+/",
    }
    objects = [list_links(me.page, f"{cloud}/{path}", pattern)[0] for path, pattern in lists.items()]
    for path in (f"/demo/sandbox/products/{key}/", *objects):
        me.page.goto(me.base + path)
        strip = me.page.locator(".fd-page-lead > *")
        assert strip.evaluate_all("all => all.map(one => one.className)") == ["fd-summary"], path
        assert strip.locator("dt").count() >= 2, path
