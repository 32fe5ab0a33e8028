// Lists: links of rows, columns, filters that match the URL, widths.

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

// Fetches the rows of a list again, with the column, and keeps the menu of columns open.
async function fetchAgain(id, column) {
  const region = `#${CSS.escape(id)}-results`;
  if (!document.querySelector(`${region} form[data-table]`)) return;
  await window.htmx.ajax("GET", location.pathname + location.search, { target: region, select: region, swap: "outerHTML show:none" });
  document.getElementById(`${id}-columns`)?.showPopover();
  document.querySelector(`#${CSS.escape(id)}-columns input[value="${CSS.escape(column)}"]`)?.focus();
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

// -- a table that fits does not scroll: its header sticks to the page, and Tab skips the box. In a small window, a table that does not
// fit leaves out the columns that are not part of a card. If that is not enough, it becomes cards on a tablet; on a phone, all tables
// are cards. What is still cut has a shadow at that side. --
function fit(box) {
  const table = box.querySelector("table");
  if (!table) return;
  const fitsNow = () => table.scrollWidth <= box.clientWidth + 1;
  box.classList.remove("fd-fits", "fd-tight", "fd-cards");
  if (innerWidth < 768) box.classList.add("fd-cards");
  else if (innerWidth < 1440) {
    box.classList.toggle("fd-tight", !fitsNow());
    if (innerWidth < 1100 && !fitsNow()) box.classList.replace("fd-tight", "fd-cards");
  }
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
const widths = new WeakMap();
const sized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (widths.get(target) === target.clientWidth) continue;
    widths.set(target, target.clientWidth);
    fit(target);
  }
});
const watch = () => document.querySelectorAll(".fd-scroll").forEach((box) => sized.observe(box));
document.addEventListener("htmx:load", watch);
watch();
// The final font may be narrower.
document.fonts.ready.then(() => document.querySelectorAll(".fd-scroll").forEach(fit));
