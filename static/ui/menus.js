// Menus are popovers: the browser opens and closes them and restores focus. Here: position, arrow keys, shortcuts.
const GAP = 6;
const EDGE = 8;

// The button that was pressed last: each row of a list has a button for the same menu.
let pressed = null;
document.addEventListener("click", (event) => { pressed = event.target.closest?.("[popovertarget]") || pressed; }, true);

function opener(menu) {
  if (pressed?.isConnected && pressed.getAttribute("popovertarget") === menu.id) return pressed;
  const all = [...document.querySelectorAll(`[popovertarget="${CSS.escape(menu.id)}"]`)];
  return all.find((button) => button.offsetParent !== null && !menu.contains(button)) || all[0];
}

function place(menu) {
  const button = opener(menu);
  if (!button) return;
  const at = button.getBoundingClientRect();
  const box = menu.getBoundingClientRect();
  const end = "end" in menu.dataset || at.left + box.width > innerWidth - EDGE;
  const left = end ? at.right - box.width : at.left;
  const below = at.bottom + GAP;
  const up = below + box.height > innerHeight - EDGE && at.top - GAP - box.height > EDGE;
  menu.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - box.width - EDGE))}px`;
  menu.style.top = `${up ? at.top - GAP - box.height : below}px`;
}

const items = (menu) => [...menu.querySelectorAll("a[href], button, input")].filter((item) => item.offsetParent !== null && !item.disabled);

document.addEventListener(
  "toggle",
  (event) => {
    const menu = event.target;
    if (!menu.matches?.(".fd-menu[popover]")) return;
    const open = event.newState === "open";
    for (const button of document.querySelectorAll(`[popovertarget="${CSS.escape(menu.id)}"][aria-expanded]`)) button.removeAttribute("aria-expanded");
    opener(menu)?.setAttribute("aria-expanded", String(open));
    if (!open) return;
    const url = opener(menu)?.dataset.menu;
    if (url) menu.replaceChildren();
    place(menu);
    focusFirst(menu);
    if (url) load(menu, url);
    else if (menu.dataset.src && !menu.childElementCount) load(menu, menu.dataset.src);
  },
  true,
);

function focusFirst(menu) {
  if (document.activeElement === document.body || !menu.contains(document.activeElement)) items(menu)[0]?.focus({ preventScroll: true });
}

// The content of a menu with `data-src` is fetched when the menu is opened for the first time, that of a row's menu each time.
async function load(menu, url) {
  menu.setAttribute("aria-busy", "true");
  await window.htmx.ajax("GET", url, { source: menu, target: menu, swap: "innerHTML show:none" });
  menu.removeAttribute("aria-busy");
  if (!menu.childElementCount) menu.hidePopover();
  if (!menu.matches(":popover-open")) return;
  place(menu);
  focusFirst(menu);
}
// The button of another row moves the open menu there, where the browser would close it.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-menu]");
  const menu = button && document.getElementById(button.getAttribute("popovertarget"));
  if (!menu?.matches(":popover-open") || button.getAttribute("aria-expanded") === "true") return;
  event.preventDefault();
  menu.hidePopover();
  menu.showPopover();
});
for (const name of ["resize", "scroll"]) {
  addEventListener(name, () => document.querySelectorAll(".fd-menu:popover-open").forEach(place), { passive: true, capture: true });
}

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".fd-menu[popover]");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (menu && step) {
    const all = items(menu);
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next?.focus();
    event.preventDefault();
    return;
  }
  const typing = event.target.matches?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const search = document.querySelector("[data-global-search]");
  if ((event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey)) {
    if (document.querySelector("dialog[open]")) return;
    const box = search?.offsetParent ? search : document.querySelector("[data-filters] [type=search]");
    if (box) {
      box.focus();
      box.select();
      event.preventDefault();
    }
  }
});

// A click on a link closes its menu.
document.addEventListener("click", (event) => {
  const menu = event.target.closest?.("a.fd-menu-item, button.fd-menu-item[type=submit]") && event.target.closest(".fd-menu[popover]");
  menu?.hidePopover();
});

// -- search in the switcher --
document.addEventListener("input", (event) => {
  if (event.target.id !== "switcher-search") return;
  const query = event.target.value.trim().toLowerCase();
  for (const item of document.querySelectorAll("[data-switcher] .fd-menu-item")) {
    item.hidden = query !== "" && !item.textContent.toLowerCase().includes(query);
  }
});

// -- sidebar and theme, stored in cookies that the server reads --
function remember(name, value) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax${secure}`;
}
document.addEventListener("click", (event) => {
  const toggle = event.target.closest?.("[data-collapse]");
  if (toggle) {
    const collapsed = document.body.classList.toggle("fd-collapsed");
    toggle.setAttribute("aria-pressed", String(collapsed));
    remember("sidebar", collapsed ? "collapsed" : "open");
  }
  const choice = event.target.closest?.("[data-theme-choice]");
  if (choice) {
    const theme = choice.dataset.themeChoice;
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("fd:theme"));
    remember("theme", theme);
    for (const other of document.querySelectorAll("[data-theme-choice]")) {
      other.setAttribute("aria-pressed", String(other.dataset.themeChoice === theme));
    }
  }
});
