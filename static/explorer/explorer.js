// The explorer: arrow keys in the list, JSON that is checked while it is typed, suggestions, and what can be done with an answer.

// -- finding: arrows walk from the box through the list and back --
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const box = document.getElementById("ex-q");
  if (!step || !box || event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...document.querySelectorAll(".ex-operation")];
  const at = links.indexOf(document.activeElement);
  if (at < 0 && document.activeElement !== box) return;
  event.preventDefault();
  (links[at + step] || (at + step < 0 ? box : document.activeElement)).focus();
});

// -- Ctrl+Enter sends, from wherever the cursor is --
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest?.("#ex-call");
  const button = form?.querySelector("#ex-send");
  if (button && !button.disabled) form.requestSubmit(button);
});

// -- a destroying call is sent once its name is typed; the server checks again --
function sure() {
  const typed = document.querySelector("[data-ex-typed]");
  if (!typed) return;
  for (const button of document.querySelectorAll("[data-ex-send]")) button.disabled = typed.value.trim() !== typed.dataset.exTyped;
}

// -- JSON: checked while it is typed; indented without reading its numbers, whose last digits a script would lose --
function check(area) {
  const foot = area.closest("[data-ex-json]");
  const said = foot?.querySelector(".ex-json-said");
  if (!said) return;
  const text = area.value.trim();
  let wrong = "";
  try {
    if (text) JSON.parse(text);
  } catch (error) {
    wrong = error.message;
  }
  said.textContent = !text ? "" : wrong ? `${said.dataset.bad}: ${wrong}` : said.dataset.good;
  said.classList.toggle("ex-json-bad", Boolean(wrong));
  foot.querySelector("[data-ex-indent]").hidden = !text || Boolean(wrong);
}

function indented(text) {
  let depth = 0;
  let made = "";
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "{" || token === "[") {
      depth += 1;
      made += token + line();
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const last = made.trimEnd();
      made = last.endsWith("{") || last.endsWith("[") ? last + token : made.trimEnd() + line() + token;
    } else if (token === ",") made += token + line();
    else made += token === ":" ? ": " : token;
  }
  return made;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-ex-indent]");
  const area = button?.closest("[data-ex-json]").querySelector("textarea");
  if (!area) return;
  area.value = indented(area.value);
  area.rows = Math.min(24, Math.max(5, area.value.split("\n").length));
  area.dispatchEvent(new Event("input", { bubbles: true }));
  area.dispatchEvent(new Event("change", { bubbles: true }));
  area.focus();
});

// -- suggestions: fetched when a field is entered, and again for what is typed or another product --
const asked = new WeakMap();
let later;
async function suggest(input) {
  const options = document.querySelector(`datalist[data-for="${CSS.escape(input.id)}"]`);
  if (!options) return;
  input.setAttribute("list", options.id);
  const query = new URLSearchParams({ field: input.name, [input.name]: input.value });
  const product = options.closest("[data-product-field]")?.dataset.productField;
  if (product) {
    query.set("product_field", product);
    query.set(product, input.form.elements[product]?.value || "");
  }
  const key = product ? query.toString() : "all";
  if (asked.get(input) === key) return;
  asked.set(input, key);
  await window.htmx.ajax("GET", `${options.dataset.url}?${query}`, { source: options, target: options, swap: "innerHTML" });
}
document.addEventListener("focusin", (event) => event.target.closest?.(".ex-picker") && event.target.form && suggest(event.target));
document.addEventListener("input", (event) => {
  const { target } = event;
  if (target.matches("[data-ex-typed]")) sure();
  if (target.matches("[data-json]")) check(target);
  if (target.closest(".ex-picker[data-product-field]")) {
    clearTimeout(later);
    later = setTimeout(suggest, 250, target);
  }
});

// -- the code follows the form --
const changed = () => document.getElementById("ex-code") && window.htmx.trigger(document.body, "ex:changed");
document.addEventListener("change", (event) => event.target.closest?.("#ex-call") && !event.target.matches("[data-ex-typed]") && changed());

// -- answers --
async function copied(text, button) {
  const source = document.createElement("button");
  source.dataset.copy = text;
  source.hidden = true;
  button.after(source);
  source.click();
  source.remove();
  button.focus();
}

document.addEventListener("click", (event) => {
  const more = event.target.closest?.("[data-more]");
  if (more) {
    const rest = more.nextElementSibling.content;
    const first = rest.firstElementChild;
    more.nextElementSibling.replaceWith(rest);
    more.remove();
    first.tabIndex = -1;
    first.focus();
  }
  const copy = event.target.closest?.("[data-ex-copy]");
  if (copy) copied(document.querySelector(copy.dataset.exCopy).textContent, copy);
  const download = event.target.closest?.("[data-ex-download]");
  if (download) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([document.querySelector(download.dataset.exDownload).textContent], { type: "text/plain" }));
    link.download = download.dataset.file;
    link.click();
    setTimeout(URL.revokeObjectURL, 10000, link.href);
  }
});

document.addEventListener("htmx:afterSettle", (event) => {
  const swapped = event.detail.elt;
  if (swapped.id === "ex-call") changed();
  if (swapped.id !== "ex-work") return;
  const title = swapped.querySelector("#ex-sent-title");
  title?.focus({ preventScroll: true });
  const at = title?.getBoundingClientRect();
  if (at && (at.top < 60 || at.bottom > innerHeight - 120)) title.closest("section").scrollIntoView({ block: "start" });
});

function ready() {
  sure();
  document.querySelectorAll("[data-json]").forEach(check);
}
document.addEventListener("htmx:load", ready);
ready();
