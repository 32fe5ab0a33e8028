// The selected rows of a list. They stay selected on its other pages, in other orders and sizes; other filters end the selection.
const POSITION = ["page", "size", "token", "sort"];
const selections = new Map();

function boxes(table) {
  return [...table.querySelectorAll('input[name="selected"][type="checkbox"]')];
}

function findSelection(table) {
  const query = new URLSearchParams(table.elements.query.value);
  for (const name of POSITION) query.delete(name);
  const filters = `${location.pathname}?${query}`;
  const found = selections.get(table.dataset.table);
  if (found?.filters === filters) return found;
  const empty = { filters, keys: new Set(), all: false };
  selections.set(table.dataset.table, empty);
  return empty;
}

// From the boxes of the page.
function read(table) {
  const selection = findSelection(table);
  selection.all = table.elements.all_matching.value === "1";
  for (const box of boxes(table)) {
    if (box.checked) selection.keys.add(box.value);
    else selection.keys.delete(box.value);
  }
}

// To the boxes of the page. The form sends the keys of the other pages too.
function show(table) {
  const { keys, all } = findSelection(table);
  const shown = boxes(table);
  for (const box of shown) {
    box.checked = all || keys.has(box.value);
    box.closest("tr").classList.toggle("fd-selected", box.checked);
  }
  const here = shown.filter((box) => box.checked).length;
  const values = new Set(shown.map((box) => box.value));
  const others = [...keys].filter((key) => !values.has(key));
  table.elements.all_matching.value = all ? "1" : "";
  table.querySelectorAll('input[name="selected"][type="hidden"]').forEach((input) => input.remove());
  for (const value of others) table.append(Object.assign(document.createElement("input"), { type: "hidden", name: "selected", value }));
  const tick = table.querySelector("[data-tick-page]");
  tick.checked = shown.length > 0 && here === shown.length;
  tick.indeterminate = here > 0 && here < shown.length;
  const bar = table.querySelector("[data-bulk]");
  bar.hidden = !all && keys.size === 0;
  table.classList.toggle("fd-has-bulk", !bar.hidden);
  const count = bar.querySelector("[data-bulk-count]");
  let text = keys.size === 1 ? count.dataset.one : count.dataset.many.replace("{n}", keys.size);
  if (others.length) text = count.dataset.others.replace("{n}", keys.size).replace("{others}", others.length);
  if (all) text = count.dataset.all;
  if (!bar.hidden && count.textContent !== text) count.textContent = text;
  const more = bar.querySelector("[data-select-all]");
  if (more) more.hidden = all || here < shown.length;
}

const tables = () => [...document.querySelectorAll("form[data-table]")].filter((table) => table.querySelector("[data-bulk]"));
function readAgain(table) {
  read(table);
  show(table);
}

let last = null;
document.addEventListener("click", (event) => {
  const table = event.target.closest?.("form[data-table]");
  if (!table) return;
  if (event.target.matches("[data-tick-page]")) {
    for (const box of boxes(table)) box.checked = event.target.checked;
    table.elements.all_matching.value = "";
  } else if (event.target.matches('input[name="selected"]')) {
    const all = boxes(table);
    if (event.shiftKey && last && all.includes(last)) {
      const [from, to] = [all.indexOf(last), all.indexOf(event.target)].sort((a, b) => a - b);
      for (const box of all.slice(from, to + 1)) box.checked = event.target.checked;
    }
    last = event.target;
    table.elements.all_matching.value = "";
  } else if (event.target.closest("[data-select-all]")) {
    table.elements.all_matching.value = "1";
  } else if (event.target.closest("[data-select-none]")) {
    selections.delete(table.dataset.table);
    for (const box of boxes(table)) box.checked = false;
    table.elements.all_matching.value = "";
    table.querySelector("[data-tick-page]").focus();
  } else {
    return;
  }
  readAgain(table);
});

document.addEventListener("reset", (event) => event.target.querySelector?.("[data-bulk]") && setTimeout(readAgain, 0, event.target));
addEventListener("pageshow", () => tables().forEach(readAgain)); // the browser may have restored the boxes
document.addEventListener("htmx:load", () => tables().forEach(show));
document.body.addEventListener("list-changed", () => selections.clear()); // by an action on the selected rows
