// Forms: counters, file drop, upload progress, focus on the first error.
function bytes(count) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${unit === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${units[unit]}`;
}

// As the platform counts: a wide character is two, or the bytes of UTF-8 count.
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/gu;
function measure(text, count) {
  if (count === "bytes") return new TextEncoder().encode(text).length;
  return [...text].length + (count === "wide" ? (text.match(WIDE) || []).length : 0);
}

function updateCounter(input) {
  const counter = input.id && document.querySelector(`[data-counter="${CSS.escape(input.id)}"]`);
  if (!counter) return;
  const length = measure(input.value, input.dataset.count);
  const max = Number(counter.dataset.max);
  counter.textContent = `${length}/${max}`;
  counter.hidden = length < 0.8 * max; // as console/ui/fields.py
  counter.classList.toggle("fd-counter-over", length > max);
}

function showFile(input) {
  const drop = input.closest("[data-drop]");
  if (!drop) return;
  const out = drop.querySelector("output");
  const file = input.files[0];
  drop.classList.toggle("fd-drop-full", Boolean(file));
  out.hidden = !file;
  if (!file) return;
  const limit = Number(input.dataset.maxBytes || 0);
  const over = limit > 0 && file.size > limit;
  out.replaceChildren();
  const name = document.createElement("strong");
  name.textContent = file.name;
  out.append(name, ` · ${bytes(file.size)}`);
  if (over) out.append(document.createElement("br"), out.dataset.tooLarge);
  out.classList.toggle("fd-drop-bad", over);
  input.setCustomValidity(over ? out.dataset.tooLarge : "");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-reveal]");
  if (!button) return;
  const input = document.getElementById(button.dataset.reveal);
  const reveal = input.type === "password";
  input.type = reveal ? "text" : "password";
  button.setAttribute("aria-pressed", String(reveal));
});

document.addEventListener("input", (event) => updateCounter(event.target));
document.addEventListener("change", (event) => event.target.type === "file" && showFile(event.target));

for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    const drop = event.target.closest?.("[data-drop]");
    document.querySelectorAll("[data-drop].fd-drop-over").forEach((other) => other !== drop && other.classList.remove("fd-drop-over"));
    if (!drop) return;
    event.preventDefault();
    drop.classList.toggle("fd-drop-over", name === "dragenter" || name === "dragover");
    if (name !== "drop" || !event.dataTransfer.files.length) return;
    const input = drop.querySelector("input[type=file]");
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

// -- a search-and-choose field: a click on a match fills the field; arrow keys move through the matches --
document.addEventListener("click", (event) => {
  const match = event.target.closest?.("[data-match]");
  const input = match?.closest(".fd-choose").querySelector("[data-choose]");
  if (!input) return;
  input.value = match.dataset.match;
  match.parentElement.replaceChildren();
  input.focus();
  input.dispatchEvent(new Event("change", { bubbles: true }));
});
document.addEventListener("mousedown", (event) => event.target.closest?.("[data-match]") && event.preventDefault());
// The field has changed when the focus leaves field and matches, not on the way to a match.
document.addEventListener("change", (event) => event.isTrusted && event.target.matches("[data-choose]") && event.stopPropagation(), true);
document.addEventListener("focusout", (event) => {
  const choose = event.target.closest?.(".fd-choose");
  if (!choose || choose.contains(event.relatedTarget)) return;
  const input = choose.querySelector("[data-choose]");
  if (input.isConnected && input.value !== input.defaultValue) input.dispatchEvent(new Event("change", { bubbles: true }));
});
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const choose = step && event.target.closest?.(".fd-choose");
  if (!choose) return;
  const stops = [choose.querySelector("[data-choose]"), ...choose.querySelectorAll("[data-match]")];
  const next = stops[stops.indexOf(event.target) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});

// -- a date is text; the calendar of the browser fills it in --
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-picker]");
  if (!button) return;
  const [text, picker] = button.parentElement.querySelectorAll("input");
  picker.value = text.value.trim().replace(" ", "T");
  picker.showPicker();
});
document.addEventListener(
  "change",
  (event) => {
    if (!event.target.matches(".fd-moment-picker")) return;
    event.stopPropagation(); // the change of the text counts
    const text = event.target.parentElement.querySelector("input");
    text.value = event.target.value.replace("T", " ");
    text.dispatchEvent(new Event("change", { bubbles: true }));
  },
  true,
);

// -- upload --
document.addEventListener("htmx:confirm", (event) => {
  const form = event.detail.elt;
  if (!form.matches?.("form[data-form]")) return;
  const large = [...form.querySelectorAll("input[type=file]")].find((input) => input.validity.customError);
  if (large) {
    event.preventDefault();
    large.focus();
  }
});
document.addEventListener("htmx:xhr:progress", (event) => {
  const upload = event.target.querySelector?.("[data-upload]");
  if (!upload || !event.detail.lengthComputable) return;
  upload.hidden = false;
  upload.querySelector("progress").value = (event.detail.loaded / event.detail.total) * 100;
  upload.querySelector("[data-upload-text]").textContent = `${bytes(event.detail.loaded)} / ${bytes(event.detail.total)}`;
});
document.addEventListener("htmx:afterRequest", (event) => {
  const upload = event.target.querySelector?.("[data-upload]");
  if (upload && !event.detail.successful) upload.hidden = true;
});

// -- a refused form comes back without its secrets: what was typed is put back, if the field asks for it --
const typedSecrets = new Map();
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  typedSecrets.clear();
  const form = detail.requestConfig.elt.closest?.("form[data-form]");
  for (const input of form?.querySelectorAll("[data-keep-secret]") || []) if (input.value) typedSecrets.set(input.id, input.value);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const [id, value] of typedSecrets) {
    const input = document.getElementById(id);
    if (!input || input.value) continue;
    input.value = value;
    const hint = document.getElementById(`${id}_helptext`);
    if (hint) hint.textContent = ""; // it says that the value was not kept
  }
  typedSecrets.clear();
});

// -- a form that was kept while the user confirmed their identity is submitted as it was --
if ("resumed" in document.body.dataset) {
  const url = new URL(location);
  url.searchParams.delete("resume");
  history.replaceState(history.state, "", url);
  addEventListener("load", () => document.querySelector("main form[method=post]")?.requestSubmit());
}

// -- after a response with errors, focus the first one --
document.addEventListener("htmx:afterSettle", (event) => {
  const form = event.detail.elt?.closest?.("form[data-form]") || event.detail.elt?.querySelector?.("form[data-form]");
  const bad = form?.querySelector("[aria-invalid=true], .fd-field-bad input") || form?.querySelector("[role=alert]");
  if (!bad) return;
  if (bad.matches("[role=alert]")) bad.tabIndex = -1;
  bad.focus();
});
