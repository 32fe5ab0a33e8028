// A link or button with `data-dialog` opens its page's [data-dialog-content] over this page; without scripts it opens as a page.
const dialog = document.getElementById("fd-dialog");
const body = document.getElementById("fd-dialog-body");

let opener = "";
function load(method, url, source, values) {
  opener = source.getAttribute("href") || "";
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

dialog.addEventListener("close", () => body.replaceChildren());

// -- by keyboard: if the dialog leads to a page that has the link that opened it, the focus goes back to this link --
const STORED = "fd-dialog-opener";
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (!body.contains(event.detail.elt) || !event.detail.xhr.getResponseHeader("HX-Redirect")) return;
  if (document.activeElement.matches(":focus-visible")) sessionStorage.setItem(STORED, opener);
});
const stored = sessionStorage.getItem(STORED);
if (stored !== null) {
  sessionStorage.removeItem(STORED);
  const links = [...document.querySelectorAll("a[data-dialog]")];
  (links.find((link) => link.getAttribute("href") === stored) || document.getElementById("content"))?.focus();
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
