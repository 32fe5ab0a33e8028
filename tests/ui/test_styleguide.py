"""The style guide shows every component: content security policy, accessibility, widths."""

import re

import pytest
from django.test import Client
from playwright.sync_api import expect

from tests.browser import NARROW, WIDE, Inspector, RecordedPages

# Messages that the browser and htmx log for requests that were rejected on purpose or replaced by a newer one.
EXPECTED = r"status of 422|htmx:sendAbort|htmx:afterRequest|htmx:responseError"
PAGES = ["/_style/", "/_style/form", "/_style/confirm", "/accounts/login/", "/accounts/password/reset/"]


@pytest.mark.django_db
def test_the_style_guide_is_off_in_production(settings, client: Client):
    settings.STYLE_GUIDE = False
    for page in PAGES[:3]:
        assert client.get(page).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("page", PAGES)
def test_pages_contain_nothing_that_the_content_security_policy_forbids(guide, client: Client, page):
    html = client.get(page).content.decode()
    assert not re.search(r"<[^>]+\sstyle=", html)
    assert not re.search(r"<[^>]+\son\w+=", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", html)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) or page == "/_style/", [i for i in ids if ids.count(i) > 1]


@pytest.mark.django_db
def test_an_invalid_form_is_shown_again_with_status_422(guide, client: Client):
    response = client.post("/_style/form", {"name": "ab"})
    assert response.status_code == 422
    assert 'value="ab"' in response.content.decode()


@pytest.mark.django_db
def test_the_sample_list_is_exported(guide, client: Client):
    response = client.get("/_style/?format=csv&status=ONLINE")
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert lines[0].startswith("\ufeffDevice,")
    assert all(",ONLINE," in line for line in lines[1:])


def test_the_error_page_needs_no_request_data():
    from django.template.loader import render_to_string

    for code in ("400", "403", "403_csrf", "404", "405", "429", "500"):
        assert "Fleetdesk" in render_to_string(f"{code}.html")


@pytest.fixture
def open_page(browser, live_server, guide):
    """Opens a page; then checks that the browser logged no errors."""
    pages = RecordedPages(browser, live_server.url, EXPECTED)
    yield pages
    pages.close()
    assert pages.errors == []


browser_test = pytest.mark.browser


@browser_test
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_and_nothing_overflows(open_page, path):
    inspector = Inspector(open_page(path))
    inspector.check(all_themes=True)
    assert not inspector.findings, "\n".join(inspector.findings)


@browser_test
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_identifiers_stay_in_one_line(open_page, size):
    page = open_page("/_style/", size)
    heights = page.eval_on_selector_all(
        ".fd-details .fd-copied code",
        "codes => codes.map(code => [code.textContent.length, code.getClientRects().length])",
    )
    assert {length for length, _lines in heights} >= {32, 36, 64}
    longest = 64 if size == WIDE else 36
    assert [length for length, lines in heights if lines > 1 and length <= longest] == []


@browser_test
def test_details_have_two_columns_with_lines_from_edge_to_edge(open_page):
    page = open_page("/_style/")
    rows = page.eval_on_selector_all(
        "#panel .fd-details > div", "all => all.map(one => [one.offsetLeft, one.offsetTop, one.offsetHeight])"
    )
    assert len({left for left, _top, _height in rows}) == 2
    for top in {top for _left, top, _height in rows}:
        assert len({height for _left, other, height in rows if other == top}) == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@browser_test
def test_filters_are_in_the_url_and_back_restores_them(open_page):
    page = open_page("/_style/")
    page.fill("#filter_q", "mill")
    page.wait_for_url("**/_style/?q=mill")
    page.select_option("#filter_status", "OFFLINE")
    page.wait_for_url("**/_style/?q=mill&status=OFFLINE")
    page.click(".fd-chip >> nth=0")
    page.wait_for_url("**/_style/?status=OFFLINE")
    expect(page.locator("#filter_q")).to_have_value("")
    page.go_back()
    expect(page.locator("#filter_q")).to_have_value("mill")


@browser_test
def test_a_column_that_was_shown_stays_shown(open_page):
    page = open_page("/_style/")
    assert not page.is_visible("th[data-col=iot_id]")
    page.click("[popovertarget=meters-columns]")
    page.click("#meters-columns input[value=iot_id]")
    page.wait_for_selector("th[data-col=iot_id]")
    assert page.is_visible("th[data-col=iot_id]")
    page.reload()
    assert page.is_visible("th[data-col=iot_id]")


@browser_test
def test_deleting_all_matching_rows_asks_for_the_name_and_works_by_keyboard(open_page):
    page = open_page("/_style/?status=OFFLINE")
    page.focus("[data-tick-page]")
    page.keyboard.press("Space")
    page.focus("[data-select-all]")
    page.keyboard.press("Enter")
    assert page.inner_text("[data-bulk-count]").startswith("All ")
    page.focus("[data-bulk] button:has-text('Delete')")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] [data-expected]")
    assert page.is_disabled("dialog [type=submit]")
    page.keyboard.type("SmartMeter_Gen3")
    assert page.is_enabled("dialog [type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".fd-toast[data-level=success]")


@browser_test
def test_an_invalid_form_keeps_input_and_focuses_the_error(open_page):
    page = open_page("/_style/form")
    page.fill("#id_name", "ab")
    page.fill("#id_note", "kept")
    page.click("#content [type=submit]")
    page.wait_for_selector("#id_name_error")
    assert page.evaluate("document.activeElement.id") == "id_name"
    assert page.input_value("#id_note") == "kept"


@browser_test
def test_menus_work_by_keyboard_and_restore_focus(open_page):
    page = open_page("/_style/")
    page.focus("[popovertarget=user-menu]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#user-menu:popover-open")
    page.click("[data-theme-choice=dark]")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.getAttribute('popovertarget')") == "user-menu"
    page.reload()
    assert page.get_attribute("html", "data-bs-theme") == "dark"


@browser_test
def test_a_key_focuses_the_search_box(open_page):
    page = open_page("/_style/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "global-search"
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+k")
    assert page.evaluate("document.activeElement.id") == "global-search"


@browser_test
def test_a_network_failure_is_reported_and_input_is_kept(open_page):
    page = open_page("/_style/form")
    page.fill("#id_note", "still here")
    page.context.set_offline(True)
    page.click("#content [type=submit]")
    page.wait_for_selector(".fd-toast[data-level=error]")
    assert page.input_value("#id_note") == "still here"
    open_page.errors.clear()  # the error that the browser logged about the network


@browser_test
def test_an_invalid_form_keeps_a_typed_secret_that_the_response_does_not_contain(open_page):
    page = open_page("/_style/form")
    page.fill("#id_name", "ab")
    page.fill("#id_secret", "typed-by-hand")
    page.click("#content [type=submit]")
    page.wait_for_selector("#id_name_error")
    assert page.input_value("#id_secret") == "typed-by-hand"
    assert "typed-by-hand" not in page.content()


@browser_test
def test_a_counter_counts_a_chinese_character_as_two_where_the_platform_does(open_page):
    page = open_page("/_style/form")
    page.fill("#id_name", "\u6c34\u8868_3")
    expect(page.locator("[data-counter=id_name]")).to_have_text("6/30")
    expect(page.locator("[data-counter=id_name]")).to_be_hidden()  # until 80 % of the limit
    page.fill("#id_name", 12 * "\u6c34")
    expect(page.locator("[data-counter=id_name]")).to_be_visible()
    page.fill("#id_note", "\u6c34\u8868_3")
    expect(page.locator("[data-counter=id_note]")).to_have_text("4/100")


@browser_test
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_no_row_moves_when_the_first_one_is_selected(open_page, size):
    page = open_page("/_style/", size)
    row = page.locator("form[data-table] tbody tr").nth(1)
    row.scroll_into_view_if_needed()
    before = row.bounding_box()
    row.locator("input[name=selected]").check()
    expect(page.locator("[data-bulk]").first).to_be_visible()
    assert row.bounding_box() == before
    page.locator("[data-select-none]").first.click()
    expect(page.locator("[data-bulk]").first).to_be_hidden()


@browser_test
def test_a_click_on_a_row_opens_its_link_and_a_click_on_its_controls_does_not(open_page):
    page = open_page("/_style/")
    row = page.locator("form[data-table] tbody tr").nth(1)
    row.locator("td.fd-tick").click(position={"x": 4, "y": 4})
    expect(row.locator("input[name=selected]")).to_be_checked()
    row.locator("td.fd-row-end").click(position={"x": 2, "y": 2})
    assert "?q=" not in page.url
    row.locator("td.fd-state").click()
    page.wait_for_url("**/_style/?q=*")


@browser_test
@pytest.mark.parametrize("click", [{"modifiers": ["Control"]}, {"button": "middle"}])
def test_a_click_on_a_row_for_a_new_tab_opens_its_link_there(open_page, click):
    page = open_page("/_style/")
    with page.context.expect_page() as opened:
        page.locator("form[data-table] tbody tr").nth(1).locator("td.fd-state").click(**click)
    assert "?q=" in opened.value.url
    assert "?q=" not in page.url
    opened.value.close()


@browser_test
def test_a_click_that_ends_a_selection_of_text_stays_on_the_page(open_page):
    page = open_page("/_style/")
    box = page.locator("form[data-table] tbody tr").nth(1).locator("td").nth(3).bounding_box()
    page.mouse.move(box["x"] + 16, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 70, box["y"] + box["height"] / 2)
    page.mouse.up()
    assert page.evaluate("String(getSelection())")
    page.wait_for_timeout(300)
    assert "?q=" not in page.url


@browser_test
def test_a_table_that_is_cut_has_a_shadow_until_it_is_scrolled_to_the_end(open_page):
    page = open_page("/_style/", (1200, 900))
    card = page.locator(".fd-table-card").first
    card.evaluate("card => { card.style.width = '420px'; }")
    expect(card).to_have_class(re.compile("fd-cut-end"))
    card.locator(".fd-scroll").evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    expect(card).not_to_have_class(re.compile("fd-cut-end"))
    expect(card).to_have_class(re.compile("fd-cut-start"))


@browser_test
def test_ticks_and_names_of_cards_are_as_large_as_a_finger_needs(open_page):
    page = open_page("/_style/", NARROW)
    row = page.locator("form[data-table] tbody tr").nth(1)
    row.scroll_into_view_if_needed()
    hits = """(element, selector) => {
      const box = element.getBoundingClientRect();
      const x = box.left + box.width / 2, middle = box.top + box.height / 2;
      return [-15, 15].every((by) => document.elementFromPoint(x, middle + by)?.closest(selector) === element);
    }"""
    assert row.locator("input[name=selected]").evaluate(hits, "input")
    assert row.locator("td.fd-primary a").evaluate(hits, "a")


@browser_test
def test_filters_on_a_narrow_screen_end_with_apply_which_closes_them(open_page):
    page = open_page("/_style/", NARROW)
    page.locator("[data-more-filters]").first.click()
    apply = page.locator(".fd-filter-actions [type=submit]").first
    apply.click()
    expect(apply).to_be_hidden()


@browser_test
def test_opened_filters_are_as_wide_as_the_list_on_a_narrow_screen(open_page):
    page = open_page("/_style/", NARROW)
    page.locator("[data-more-filters]").first.click()
    filters = page.locator("[data-filters] .fd-filter").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().right)"
    )
    right = page.locator(".fd-list").first.evaluate("list => list.getBoundingClientRect().right")
    assert {round(edge) for edge in filters} == {round(right)}


@browser_test
def test_identifiers_are_drawn_as_they_are_written(open_page):
    page = open_page("/_style/")
    title = page.locator("h1")
    title.evaluate("element => { element.textContent = 'a1xNFl48x68 SN_10x20 a->b'; }")
    drawn = title.screenshot()
    title.evaluate(
        'element => { element.style.fontFeatureSettings = \'"cv05", "cv08", "ss03", "calt" 0, "liga" 0\'; }'
    )
    assert title.screenshot() == drawn


@browser_test
def test_a_hidden_tab_does_not_poll(open_page):
    page = open_page("/_style/")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/tray") else None)
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})")
    page.wait_for_timeout(3500)
    assert asked == []
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => false}); document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_timeout(600)
    assert len(asked) >= 1


@browser_test
def test_the_calendar_of_the_browser_fills_a_date_in_iso_order(open_page):
    page = open_page("/_style/form")
    page.fill("#id_start", "2026-03-31 18:00")
    picker = page.locator(".fd-moment:has(#id_start) .fd-moment-picker")
    page.click(".fd-moment:has(#id_start) [data-picker]")
    assert picker.input_value() == "2026-03-31T18:00"
    picker.evaluate(
        "e => { e.value = '2026-04-01T09:30'; e.dispatchEvent(new Event('change', { bubbles: true })) }"
    )
    assert page.input_value("#id_start") == "2026-04-01 09:30"
    assert "Time zone:" in page.inner_text("#id_start_helptext")
