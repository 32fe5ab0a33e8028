"""Every page, wide and narrow, light and dark: no axe violation, no overflow, no message in the browser's console."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import NARROW, WIDE, Inspector
from tests.journeys.browser_user import list_links

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.timeout(420)]


def list_addresses(page: Page, base: str) -> list[str]:
    """The paths of all pages of a team and a connection, with example objects."""
    connection = "/demo/sandbox"
    product = list_links(page, f"{base}{connection}/products/?q=Smart", rf"{connection}/products/a1\w+/")[0]
    key = product.split("/")[-2]
    device = list_links(
        page, f"{base}{connection}/devices/?product={key}", rf"{connection}/devices/{key}/[^/]+/"
    )[0]
    name = device.split("/")[-2]
    group = list_links(page, f"{base}{connection}/groups/", rf"{connection}/groups/\w{{10,}}/")[0]
    packages = list_links(
        page, f"{base}{connection}/ota/packages/", rf"{connection}/ota/packages/(?!new)\w+/"
    )
    ready = next(link for link in packages if list_links(page, base + link, rf"{link}batch/"))
    batches = list_links(page, f"{base}{connection}/ota/batches/", rf"{connection}/ota/batches/(?!new)\w+/")
    members = list_links(page, f"{base}/demo/-/members/", r"/demo/-/members/\d+/")
    record = list_links(page, f"{base}/demo/-/audit/", r"/demo/-/audit/\d+/")[0]
    return [
        *(f"{connection}/{path}" for path in ("", "products/", "products/?q=none", "products/new/")),
        *(product + path for path in ("", "tags/", "tags/set/", "edit/", "unpublish/", "delete/")),
        *(f"{connection}/devices/{path}" for path in ("", f"?product={key}&size=10", f"of/{key}/")),
        f"{connection}/devices/new/?product={key}",
        *(f"{connection}/devices/search/{path}" for path in ("", "?q=DDS720")),
        *(device + path for path in ("", "groups/", "groups/add/", "tags/", "tags/set/", "updates/")),
        *(device + path for path in ("rename/", "disable/", "delete/")),
        *(f"{connection}/groups/{path}" for path in ("", "?q=none", "new/")),
        *(
            group + path
            for path in ("", "new/", "devices/", "devices/add/", "tags/", "tags/set/", "edit/", "delete/")
        ),
        *(
            f"{connection}/ota/{path}"
            for path in ("packages/", "packages/new/", "batches/", "batches/new/", "modules/")
        ),
        *(f"{connection}/ota/modules/{key}/new/",),
        *(ready + path for path in ("", "batch/", "dynamic/", "delete/")),
        *(batches[0] + path for path in ("", "cancel/")),
        *(f"{connection}/messaging/{path}" for path in ("", f"devices/{key}/{name}/", "routes/")),
        *(f"{connection}/messaging/routes/{path}?topic=/{key}/{name}/user/update" for path in ("", "new/")),
        *(
            f"{connection}/messaging/products/{key}/{path}"
            for path in ("", "new/", "categories/update/error/edit/", "categories/update/error/delete/")
        ),
        f"{connection}/jobs/",
        f"{connection}/devices/registrations/new/",
        f"{connection}/devices/registrations/new/?by=count",
        *(f"{connection}/explorer/{path}" for path in ("", "history/", "QueryDevice/", "RegisterDevice/")),
        *(f"/demo/-/connections/{path}" for path in ("", "add/", "sandbox/edit/", "sandbox/delete/")),
        *("/demo/-/members/", "/demo/-/members/invite/", members[0], f"{members[-1]}remove/"),
        *(f"{members[-1]}{path}" for path in ("edit/", "transfer/")),
        *(f"/demo/-/roles/{path}" for path in ("", "add/?from=operator", "operator/?compare=viewer")),
        *("/demo/-/settings/", "/demo/-/settings/delete/", "/teams/new/", "/invitations/"),
        *("/demo/-/tokens/", "/demo/-/tokens/add/", "/demo/-/tokens/own/add/"),
        *("/account/tokens/", "/account/api/", "/account/security/", "/accounts/reauthenticate/"),
        *(f"/accounts/{path}" for path in ("app/set-up/", "passkeys/add/")),
        *("/demo/-/approvals/", "/demo/-/audit/reads/", f"{members[0]}remove/", "/account/data/"),
        *(f"/demo/-/sign-on/{path}" for path in ("", "add/", "try/")),
        *("/demo/-/audit/", record, "/account/profile/", "/accounts/password/change/", "/accounts/logout/"),
        *(f"{connection}/products/a1missing/", "/nowhere/at/all/", f"{connection}/nowhere/"),
    ]


def create_draft(page: Page, base: str) -> str:
    """The URL of a checked registration file with invalid rows that is not started."""
    page.goto(f"{base}/demo/sandbox/devices/registrations/new/")
    page.locator("select[name=product]").select_option(index=1)
    names = b"DeviceName,Nickname,Color\nlamp-0001,Lamp_1,red\nlamp 0002,Lamp_2,red\nlamp-0003,x,red\n"
    page.set_input_files("input[type=file]", {"name": "lamps.csv", "mimeType": "text/csv", "buffer": names})
    page.get_by_role("button", name="Check file").click()
    page.get_by_role("heading", name="Errors").wait_for()
    return page.url


def test_every_page_is_accessible(open_browser_as):
    me = open_browser_as()
    paths = list_addresses(me.page, me.base)
    job = create_draft(me.page, me.base)
    inspector = Inspector(me.page)
    for path in paths:
        inspector.visit(me.base + path)
    inspector.visit(job)
    me.page.locator("form[action$='/start/'] button").click()
    me.page.locator("#job-live:not([hx-get])").wait_for(timeout=60_000)
    inspector.check("with a finished job")
    assert not inspector.findings, "\n".join(inspector.findings)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_menus_dialogs_and_selections_are_accessible(size, open_browser_as):
    me = open_browser_as()
    me.page.set_viewport_size({"width": size[0], "height": size[1]})
    inspector = Inspector(me.page)
    product = list_links(me.page, f"{me.base}/demo/sandbox/products/", r"/demo/sandbox/products/a1\w+/")[0]
    key = product.split("/")[-2]
    device = list_links(
        me.page,
        f"{me.base}/demo/sandbox/devices/?product={key}",
        rf"/demo/sandbox/devices/{key}/[^/]+/",
    )[0]
    me.page.goto(me.base + device)
    me.page.locator("[popovertarget=actions-menu]").click()
    inspector.check("with its menu", [size])
    me.page.get_by_role("link", name="Delete").click()
    me.page.locator("dialog[open] input[type=text]").wait_for()
    inspector.check("with a dialog", [size])
    me.open("products/")
    me.page.get_by_role("checkbox").filter(visible=True).nth(1).check()
    inspector.check("with selected rows", [size])
    for menu in ("user-menu", "job-tray", "sidebar") if size == NARROW else ("user-menu", "job-tray"):
        me.page.locator(f"[popovertarget={menu}]:visible").first.click()
        me.page.locator(f"#{menu}").wait_for()
        inspector.check(f"with {menu}", [size])
        me.page.keyboard.press("Escape")
    assert not inspector.findings, "\n".join(inspector.findings)


def test_approval_and_invitation_pages_are_accessible(open_browser_as, browser: Browser):
    admin, operator = open_browser_as(), open_browser_as("operator@demo.example")
    name, address = "Name_that_is_rather_long", "somebody.with.a.long.name@mail.example"
    admin.page.goto(f"{admin.base}/demo/-/settings/")
    admin.page.check("[name=approve_product_deletion]")
    admin.click("Save settings")
    admin.wait_for_text("Settings saved.")
    operator.open("products/new/")
    operator.page.fill("[name=product_name]", name)
    operator.page.keyboard.press("Enter")
    operator.page.wait_for_url("**/products/a1*/")
    product = operator.page.url
    by_operator, by_admin = Inspector(operator.page), Inspector(admin.page)
    operator.page.goto(f"{product}delete/")
    operator.page.locator("main input[type=text]").fill(name)
    by_operator.check("which needs approval")
    operator.page.keyboard.press("Enter")
    operator.page.wait_for_url("**/approvals/*/")
    by_operator.check("with a draft of a request")
    operator.page.fill("[name=reason]", "Created by mistake")
    operator.click("Request approval")
    operator.wait_for_text("You can leave this page.")
    by_operator.check("with a pending request")
    by_operator.visit(product)
    request = list_links(admin.page, f"{admin.base}/demo/-/approvals/", r"/demo/sandbox/approvals/\d+/")[0]
    for path in ("", "approve/", "refuse/"):
        by_admin.visit(f"{admin.base}{request}{path}")
    admin.page.fill("[name=reason]", "Not this one")
    admin.click("Reject request")
    admin.wait_for_text("Not this one")
    by_admin.check("with a rejected request")
    admin.page.goto(f"{admin.base}/demo/-/members/invite/")
    admin.page.fill("[name=email]", address)
    admin.page.check("[name=role][value=viewer]")
    admin.page.check("[name=scope][value=part]")
    admin.page.fill("#id_products", product.rstrip("/").rpartition("/")[2])
    by_admin.check("with an access scope")
    admin.click("Invite user")
    link = admin.page.locator(".access-link code").inner_text()
    assert admin.page.evaluate("document.activeElement.role") == "status", "the message has the focus"
    by_admin.check("with a link that is shown once")
    by_admin.visit(f"{admin.base}/demo/-/members/")
    for action in ("renew", "withdraw"):
        pattern = rf"/demo/-/invitations/\d+/{action}/"
        by_admin.visit(admin.base + list_links(admin.page, f"{admin.base}/demo/-/members/", pattern)[0])
    context = browser.new_context()
    by_invited = Inspector(context.new_page())
    by_invited.visit(link)
    by_invited.page.locator("[name=password1]").press("Enter")
    by_invited.page.locator(".invalid-feedback").first.wait_for()
    by_invited.check("with errors")
    by_operator.visit(link)
    context.close()
    # Other tests on this console delete products without approval.
    admin.page.goto(f"{admin.base}/demo/-/settings/")
    admin.page.uncheck("[name=approve_product_deletion]")
    admin.click("Save settings")
    admin.wait_for_text("Settings saved.")
    findings = by_operator.findings + by_admin.findings + by_invited.findings
    assert not findings, "\n".join(findings)


def test_pages_before_sign_in_are_accessible(browser: Browser, console: str):
    context = browser.new_context()
    inspector = Inspector(context.new_page())
    for path in ("login/", "password/reset/", "password/reset/done/", "signup/", "inactive/"):
        inspector.visit(f"{console}/accounts/{path}")
    inspector.visit(f"{console}/accounts/login/")
    inspector.page.fill("[name=login]", "nobody@demo.example")
    inspector.page.fill("[name=password]", "wrong")
    inspector.page.keyboard.press("Enter")
    inspector.page.locator("[role=alert], .invalid-feedback").first.wait_for()
    inspector.check("with an error")
    context.close()
    assert not inspector.findings, "\n".join(inspector.findings)
