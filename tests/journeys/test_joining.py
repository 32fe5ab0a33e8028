"""A user is invited with a limited access scope and joins; a role is created by keyboard."""

from __future__ import annotations


def test_an_invited_member_joins_with_access_to_some_products(open_browser_as, browser, console):
    me = open_browser_as()
    page = me.page
    product = me.find_product_key()
    me.open("groups/")
    group = (
        page.locator("a[href*='/sandbox/groups/']", has_text="_").first.get_attribute("href").split("/")[-2]
    )
    page.goto(f"{me.base}/demo/-/members/invite/")
    page.fill("[name=email]", "joiner@demo.example")
    page.check("[name=role][value=operator]")
    assert page.locator("#id_products").is_hidden(), "the access scope is the entire team"
    page.check("[name=scope][value=part]")
    page.click("#id_products")
    page.locator("#id_products_options li").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    chips = page.locator(".access-chip")
    added = chips.inner_text()
    page.keyboard.type("neverWasOne")
    page.keyboard.press("Enter")
    page.get_by_text("No product or group in the selected connections has the key neverWasOne.").wait_for()
    assert chips.count() == 1, "an unknown key was added"
    page.fill("#id_products", product)
    page.keyboard.press("Enter")
    chips.nth(0 if product in added else 1).wait_for()
    page.fill("#id_groups", group)  # not yet added: it is when the form is sent
    page.get_by_role("button", name="Invite user").click()
    link = page.locator(".access-link code").inner_text()

    context = browser.new_context()
    joining = context.new_page()
    joining.goto(link)
    assert joining.url == f"{console}/invitations/"
    invitation = joining.locator("main").inner_text()
    for part in ("Demo Energy", "Operator", "2 products, 1 group", product, group):
        assert part in invitation
    joining.fill("[name=name]", "Joy Joiner")
    joining.fill("[name=password1]", "Password1234")
    strength = joining.locator(".fd-strength[aria-live=polite]")
    strength.get_by_text("This password is easy to guess.").wait_for()
    joining.fill("[name=password1]", "some battery of staples")
    strength.get_by_text("Strong password").wait_for()
    for field in ("password1", "password2"):
        joining.fill(f"[name={field}]", "some battery of staples")
    joining.get_by_role("button", name="Create account and join").click()
    joining.wait_for_url(f"{console}/demo/**")
    context.close()

    page.goto(f"{me.base}/demo/-/members/?q=joiner")
    row = page.locator("tr", has_text="Joy Joiner").inner_text()
    assert "1 group" in row
    page.get_by_role("link", name="Joy Joiner").click()
    assert product in page.locator("main").inner_text()
    assert group in page.locator("main").inner_text()
    assert me.console_errors == []


def test_enter_takes_the_suggested_product_for_a_part_of_its_name(open_browser_as):
    page = open_browser_as().page
    page.goto(page.url.split("/demo/")[0] + "/demo/-/members/invite/")
    page.check("[name=scope][value=part]")
    page.locator("#id_products").press_sequentially("Elev")
    page.keyboard.press("Enter")
    page.locator(".access-chip", has_text="Elevator_Monitor_EM1").wait_for()
    assert page.locator("#id_products").input_value() == ""
    assert page.locator(".access-chip").count() == 1


def test_a_role_is_created_by_keyboard_and_shows_its_permissions(open_browser_as):
    me = open_browser_as()
    page = me.page
    page.goto(f"{me.base}/demo/-/roles/add/")
    for copied, level in (("administrator", "3"), ("viewer", "1")):  # before the role has a name
        page.select_option("#from", copied)
        page.locator(f"[name=level_ota][value='{level}']:checked").wait_for()
    page.fill("[name=name]", "Night shift")
    page.focus("[name=level_ota][value='1']")
    page.keyboard.press("ArrowRight")
    page.locator("#role-summary", has_text="Can read and write: Updates.").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/roles/night-shift/")
    levels = page.locator(".access-table tr", has_text="Updates").locator("td:has(.access-tick)")
    assert levels.count() == 2  # Read, Write
    assert page.get_by_role("button", name="Compare").count() == 0
    page.select_option("#compare", "administrator")
    page.locator(".access-table .access-differs", has_text="Updates").wait_for()
    assert me.console_errors == []
