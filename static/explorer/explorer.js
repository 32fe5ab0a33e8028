// The explorer: arrow keys in the list, JSON checks during input, suggestions, and buttons of a response.

// -- search: arrow keys move from the search box through the list and back --
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const box = document.getElementById("ex-q");
  if (!step || !box || event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...document.querySelectorAll(".ex-operations a")];
  const current = links.indexOf(document.activeElement);
  if (current < 0 && document.activeElement !== box) return;
  event.preventDefault();
  (links[current + step] || (current + step < 0 ? box : document.activeElement)).focus();
});

// -- Ctrl+Enter sends the form from any field --
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest?.("#ex-call");
  const button = form?.querySelector("#ex-send");
  if (button && !button.disabled) form.requestSubmit(button);
});

// -- a delete request can be sent after its name is typed; the server checks this again --
function checkConfirmation() {
  const typed = document.querySelector("[data-ex-typed]");
  if (!typed) return;
  for (const button of document.querySelectorAll("[data-ex-send]")) button.disabled = typed.value.trim() !== typed.dataset.exTyped;
}

// -- JSON: checked during input; indented without parsing, since JavaScript loses the last digits of large numbers --
function checkJson(area) {
  const foot = area.closest("[data-ex-json]");
  const status = foot?.querySelector(".ex-json-status");
  if (!status) return;
  const text = area.value.trim();
  let error = "";
  try {
    if (text) JSON.parse(text);
  } catch (exception) {
    error = exception.message;
  }
  status.textContent = !text ? "" : error ? `${status.dataset.bad}: ${error}` : status.dataset.good;
  status.classList.toggle("ex-json-bad", Boolean(error));
  foot.querySelector("[data-ex-indent]").hidden = !text || Boolean(error);
}

function indentJson(text) {
  let depth = 0;
  let result = "";
  const newLine = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "{" || token === "[") {
      depth += 1;
      result += token + newLine();
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const trimmed = result.trimEnd();
      result = trimmed.endsWith("{") || trimmed.endsWith("[") ? trimmed + token : trimmed + newLine() + token;
    } else if (token === ",") result += token + newLine();
    else result += token === ":" ? ": " : token;
  }
  return result;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-ex-indent]");
  const area = button?.closest("[data-ex-json]").querySelector("textarea");
  if (!area) return;
  area.value = indentJson(area.value);
  area.rows = Math.min(24, Math.max(5, area.value.split("\n").length));
  area.dispatchEvent(new Event("input", { bubbles: true }));
  area.dispatchEvent(new Event("change", { bubbles: true }));
  area.focus();
});

// -- suggestions: loaded when a field gets the focus, and again when its text or the product changes --
const loadedQueries = new WeakMap();
let suggestTimer;
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
  if (loadedQueries.get(input) === key) return;
  loadedQueries.set(input, key);
  await window.htmx.ajax("GET", `${options.dataset.url}?${query}`, { source: options, target: options, swap: "innerHTML" });
}
document.addEventListener("focusin", (event) => event.target.closest?.(".ex-picker") && event.target.form && suggest(event.target));
document.addEventListener("input", (event) => {
  const { target } = event;
  if (target.matches("[data-ex-typed]")) checkConfirmation();
  if (target.matches("[data-json]")) checkJson(target);
  if (target.closest(".ex-picker[data-product-field]")) {
    clearTimeout(suggestTimer);
    suggestTimer = setTimeout(suggest, 250, target);
  }
});

// -- the code is updated when the form changes --
const updateCode = () => document.getElementById("ex-code") && window.htmx.trigger(document.body, "ex:changed");
document.addEventListener("change", (event) => event.target.closest?.("#ex-call") && !event.target.matches("[data-ex-typed]") && updateCode());

// -- responses --
async function copyText(text, button) {
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
  if (copy) copyText(document.querySelector(copy.dataset.exCopy).textContent, copy);
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
  if (swapped.id === "ex-call") updateCode();
  if (swapped.id !== "ex-work") return;
  const title = swapped.querySelector("#ex-sent-title");
  title?.focus({ preventScroll: true });
  const box = title?.getBoundingClientRect();
  if (box && (box.top < 60 || box.bottom > innerHeight - 120)) title.closest("section").scrollIntoView({ block: "start" });
});

function initialize() {
  checkConfirmation();
  document.querySelectorAll("[data-json]").forEach(checkJson);
}
document.addEventListener("htmx:load", initialize);
initialize();
