// Lists: selection, columns, filters that match the URL.

function boxes(table) {
  return [...table.querySelectorAll('input[name="selected"]')];
}

function refresh(table) {
  const bar = table.querySelector("[data-bulk]");
  if (!bar) return;
  const all = boxes(table);
  const selected = all.filter((box) => box.checked);
  const everything = table.elements.all_matching.value === "1";
  const page = table.querySelector("[data-tick-page]");
  page.checked = all.length > 0 && selected.length === all.length;
  page.indeterminate = selected.length > 0 && selected.length < all.length;
  bar.hidden = selected.length === 0;
  table.classList.toggle("fd-has-bulk", selected.length > 0);
  for (const box of all) box.closest("tr").classList.toggle("fd-selected", box.checked);
  const count = bar.querySelector("[data-bulk-count]");
  const text = everything ? count.dataset.all : selected.length === 1 ? count.dataset.one : count.dataset.many.replace("{n}", selected.length);
  if (selected.length && count.textContent !== text) count.textContent = text;
  const more = bar.querySelector("[data-select-all]");
  if (more) more.hidden = everything || selected.length < all.length;
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
    for (const box of boxes(table)) box.checked = false;
    table.elements.all_matching.value = "";
    table.querySelector("[data-tick-page]").focus();
  } else {
    return;
  }
  refresh(table);
});

// -- a click anywhere on a row opens the link of its primary column; the keyboard uses the link itself --
const CONTROLS = "a, button, input, select, textarea, label, summary, [popover], .fd-row-end";
function rowLink(event) {
  const row = event.target.closest?.("form[data-table] tbody tr");
  if (!row || event.defaultPrevented || event.shiftKey || event.altKey || event.target.closest(CONTROLS)) return null;
  if (String(getSelection())) return null;
  const box = event.target.closest(".fd-tick") && row.querySelector('input[name="selected"]');
  return box || row.querySelector("td.fd-primary a[href]");
}
document.addEventListener("click", (event) => {
  const link = rowLink(event);
  if (!link) return;
  if (link.href && (event.ctrlKey || event.metaKey)) open(link.href, "_blank", "noopener");
  else link.click();
});
document.addEventListener("auxclick", (event) => {
  const link = event.button === 1 && rowLink(event);
  if (link?.href) open(link.href, "_blank", "noopener");
});

// Enter in a row would press the first button of the form, which is an action on the selected rows.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.("form[data-table] input")) event.preventDefault();
});
document.addEventListener("reset", (event) => event.target.matches?.("[data-table]") && setTimeout(refresh, 0, event.target));
addEventListener("pageshow", () => document.querySelectorAll("form[data-table]").forEach(refresh));

// -- more filters, behind a button. "Apply" sends them and closes them again on a narrow screen --
document.addEventListener("click", (event) => {
  const more = event.target.closest?.("[data-more-filters]");
  if (more) more.setAttribute("aria-expanded", String(more.getAttribute("aria-expanded") !== "true"));
  const done = event.target.closest?.(".fd-filter-actions :is(a, button)");
  done?.closest("form").querySelector("[data-more-filters]")?.setAttribute("aria-expanded", "false");
});

// -- columns: stored in a cookie for the server; the list is fetched again for a column that the page does not contain --
document.addEventListener("change", (event) => {
  const menu = event.target.closest?.("[data-columns]");
  if (!menu) return;
  const id = menu.dataset.columns;
  const shown = [...menu.querySelectorAll("input:checked")].map((box) => box.value).join(".");
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `columns-${id}=${shown}; path=/; max-age=31536000; samesite=lax${secure}`;
  const head = document.querySelector(`#${CSS.escape(id)}-results th[data-col="${CSS.escape(event.target.value)}"]`);
  if (!head) return fetchAgain(id, event.target.value);
  for (const row of head.closest("table").rows) row.cells[head.cellIndex].hidden = !event.target.checked;
  fit(head.closest(".fd-scroll"));
});

// Fetches the rows of a list again, with the column, and keeps the selection and the open menu of columns.
async function fetchAgain(id, column) {
  const region = `#${CSS.escape(id)}-results`;
  const table = document.querySelector(`${region} form[data-table]`);
  if (!table) return;
  const selected = new Set(boxes(table).filter((box) => box.checked).map((box) => box.value));
  const everything = table.elements.all_matching?.value;
  await window.htmx.ajax("GET", location.pathname + location.search, { target: region, select: region, swap: "outerHTML show:none" });
  const renewed = document.querySelector(`${region} form[data-table]`);
  if (!renewed) return;
  document.getElementById(`${id}-columns`)?.showPopover();
  document.querySelector(`#${CSS.escape(id)}-columns input[value="${CSS.escape(column)}"]`)?.focus();
  if (!selected.size) return;
  for (const box of boxes(renewed)) box.checked = selected.has(box.value);
  renewed.elements.all_matching.value = everything;
  refresh(renewed);
}

// -- cards on a narrow screen: changing `display` removes the roles of a table, and each cell shows the label of its column --
const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TH: "columnheader", TD: "cell" };
function describe(table) {
  for (const element of [table, ...table.querySelectorAll("thead, tbody, tr, th, td")]) element.setAttribute("role", ROLES[element.tagName]);
  const labels = [...table.tHead.querySelectorAll("th")].map((head) => head.dataset.col && head.textContent.trim());
  for (const row of table.tBodies[0].rows) {
    for (const cell of row.cells) if (labels[cell.cellIndex]) cell.dataset.label = labels[cell.cellIndex];
  }
}
const describeAll = () => document.querySelectorAll("form[data-table] table").forEach(describe);
document.addEventListener("htmx:load", describeAll);
describeAll();

// -- the filter fields show the filters of the URL --
function syncFilters(region) {
  const id = region.id.replace(/-results$/, "");
  const query = new URLSearchParams(location.search);
  const form = document.querySelector(`[data-filters="${CSS.escape(id)}"]`);
  for (const field of form?.elements || []) {
    if (!field.name || field === document.activeElement) continue;
    if (field.type === "checkbox" || field.type === "radio") field.checked = query.getAll(field.name).includes(field.value);
    else if (field.multiple) for (const option of field.options) option.selected = query.getAll(field.name).includes(option.value);
    else field.value = query.get(field.name) || "";
  }
}
document.addEventListener("htmx:pushedIntoHistory", () => document.querySelectorAll("[data-results]").forEach(syncFilters));

// -- screen readers hear how many rows a list has after it was replaced --
document.addEventListener("htmx:load", ({ target: region }) => {
  if (!region.matches?.("[data-results]")) return;
  const rows = region.querySelector(".fd-pages-where")?.textContent.trim() || region.querySelector(".fd-empty-title")?.textContent.trim();
  const polite = document.getElementById("fd-polite");
  if (rows && polite.textContent !== rows) polite.textContent = rows;
});

// Leave inactive filters out of the URL.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches?.("[data-filters]")) return;
  for (const name of [...event.detail.formData.keys()]) {
    if (event.detail.formData.getAll(name).every((value) => value === "")) event.detail.formData.delete(name);
  }
});
document.addEventListener("submit", (event) => {
  // Without htmx: disable empty fields, so that they are not sent.
  if (event.target.matches?.("[data-filters]") && !window.htmx) for (const field of event.target.elements) field.disabled = field.value === "";
});

// -- a table that fits does not scroll: its header sticks to the page, and Tab skips the box. On a tablet, a table that does not
// fit leaves out the columns that are not part of a card. What is still cut has a shadow at that side. --
function fit(box) {
  const table = box.querySelector("table");
  const fitsNow = () => !table || table.scrollWidth <= box.clientWidth + 1;
  box.classList.remove("fd-fits", "fd-tight");
  if (innerWidth < 1100) box.classList.toggle("fd-tight", !fitsNow());
  const fits = fitsNow();
  box.classList.toggle("fd-fits", fits);
  if (fits) box.removeAttribute("tabindex");
  else box.tabIndex = 0;
  shade(box);
}
function shade(box) {
  const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
  const card = box.closest(".fd-table-card");
  card?.classList.toggle("fd-cut-start", !box.classList.contains("fd-fits") && box.scrollLeft > 1);
  card?.classList.toggle("fd-cut-end", !box.classList.contains("fd-fits") && rest > 1);
}
document.addEventListener("scroll", ({ target }) => target.matches?.(".fd-scroll") && shade(target), { passive: true, capture: true });
const sized = new ResizeObserver((entries) => entries.forEach(({ target }) => fit(target)));
const watch = () => document.querySelectorAll(".fd-scroll").forEach((box) => sized.observe(box));
document.addEventListener("htmx:load", watch);
watch();
// The final font may be narrower.
document.fonts.ready.then(() => document.querySelectorAll(".fd-scroll").forEach(fit));
