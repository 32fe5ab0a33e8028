// A link or button with `data-dialog` opens its page's [data-dialog-content] over this page; without scripts it opens as a page.
const dialog = document.getElementById("fd-dialog");
const body = document.getElementById("fd-dialog-body");

let opener = {};
let acted = ""; // the key of the first row of an action on the selected rows
function load(method, url, source, values) {
  const popover = source.closest("[popover]");
  const button = popover && document.querySelector(`[popovertarget="${CSS.escape(popover.id)}"][aria-expanded="true"]`);
  opener = {
    menu: button?.dataset.menu,
    popover: popover?.id,
    link: source.getAttribute("href"),
    row: (button || source).closest("tr")?.querySelector("td.fd-primary a[href]")?.getAttribute("href"),
  };
  acted = values?.selected?.[0] || "";
  window.htmx.ajax(method, url, { source, target: body, swap: "innerHTML show:none", select: "[data-dialog-content]", values });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-dialog]");
  if (link && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    load("GET", link.getAttribute("href"), link);
  }
  if (event.target.closest?.("[data-dialog-close]") && event.target.closest("dialog")) {
    event.preventDefault();
    dialog.close();
  }
});

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.matches("[data-dialog]")) return;
  event.preventDefault();
  const values = {};
  for (const [name, value] of new FormData(event.target, button)) (values[name] ||= []).push(value);
  load("POST", button.formAction, button, values);
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== body && !body.contains(event.detail.target)) return;
  if (!body.firstElementChild) return;
  const title = body.querySelector("[data-dialog-content] h2");
  if (title) dialog.setAttribute("aria-label", title.textContent);
  if (!dialog.open) {
    dialog.showModal();
    dialog.dispatchEvent(new Event("open"));
  }
  const field = body.querySelector("[aria-invalid=true]") || body.querySelector("input:not([type=hidden]), select, textarea");
  if (field) field.focus();
  else if (!dialog.contains(document.activeElement)) body.querySelector(".fd-form-actions .btn")?.focus();
});

// -- the focus after an action on the selected rows, which replaced them: the first of these rows, or the head of the list --
function focusActed() {
  if (!acted || dialog.open || document.activeElement !== document.body) return;
  const row = document.querySelector(`input[name="selected"][type="checkbox"][value="${CSS.escape(acted)}"]`);
  (row || document.querySelector("[data-tick-page]") || document.getElementById("content")).focus();
  acted = "";
}
dialog.addEventListener("close", () => {
  body.replaceChildren();
  setTimeout(focusActed);
});
document.addEventListener("htmx:afterSettle", focusActed);

// -- the focus after a dialog that led to another page: what opened it, its row, or the content of the page --
const STORED = "fd-dialog-opener";
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (!body.contains(event.detail.elt) || !event.detail.xhr.getResponseHeader("HX-Redirect")) return;
  const focusVisible = document.activeElement.matches(":focus-visible");
  sessionStorage.setItem(STORED, JSON.stringify({ ...opener, focusVisible }));
});
function findOpener({ menu, popover, link, row }) {
  const find = (selector, name, value) =>
    value && [...document.querySelectorAll(selector)].find((each) => each.getAttribute(name) === value && each.checkVisibility());
  return (
    find("[data-menu]", "data-menu", menu) ||
    (!menu && find("[popovertarget]", "popovertarget", popover)) ||
    find("a[data-dialog]", "href", link) ||
    find("td.fd-primary a", "href", row) ||
    document.getElementById("content")
  );
}
const stored = sessionStorage.getItem(STORED);
if (stored !== null) {
  sessionStorage.removeItem(STORED);
  const opened = JSON.parse(stored);
  if (document.activeElement === document.body) findOpener(opened)?.focus({ focusVisible: opened.focusVisible });
}
// A click outside the dialog closes it, unless a field was changed.
dialog.addEventListener("mousedown", (event) => {
  if (event.target !== dialog) return;
  const changed = [...dialog.querySelectorAll("input:not([type=hidden]), textarea")].some((input) => input.value !== input.defaultValue);
  if (!changed) dialog.close();
});

// -- deletions that require the name: the button is disabled until it matches; the server checks again --
function check(input) {
  const button = input.form?.querySelector("[type=submit]");
  if (button) button.disabled = input.value !== input.dataset.expected;
}
document.addEventListener("input", (event) => event.target.matches?.("[data-expected]") && check(event.target));
for (const name of ["htmx:load", "DOMContentLoaded"]) {
  document.addEventListener(name, () => document.querySelectorAll("[data-expected]").forEach(check));
}
document.querySelectorAll("[data-expected]").forEach(check);
