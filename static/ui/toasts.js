// Toasts from the page, from htmx responses (HX-Trigger: fd:toast) and from scripts.
const box = document.getElementById("fd-toasts");
const texts = document.getElementById("fd-texts").dataset;
const icons = document.getElementById("fd-toast-icons").content;
const STAY = 6000;

function cloneIcon(level) {
  const icon = icons.querySelector(`[data-level="${CSS.escape(level)}"]`) || icons.querySelector('[data-level="info"]');
  return icon.firstElementChild.cloneNode(true);
}

// In the top layer. While a dialog is open, nothing outside of it can be clicked, so the toasts are in it.
function raise() {
  if (!box.showPopover) return;
  if (box.matches(":popover-open")) box.hidePopover();
  (document.querySelector("dialog[open]") || document.body).append(box);
  if (box.querySelector(".fd-toast:not([hidden])")) box.showPopover();
}
for (const name of ["open", "close"]) document.getElementById("fd-dialog").addEventListener(name, raise);

function hideEmpty() {
  if (!box.querySelector(".fd-toast:not([hidden])") && box.matches(":popover-open")) box.hidePopover();
}

// Screen readers read what changes in a region that was on the page before. An open dialog hides these regions from them.
function announce(toast, text, level) {
  const isUrgent = level === "error" || level === "warning";
  if (document.querySelector("dialog[open]")) return toast.setAttribute("role", isUrgent ? "alert" : "status");
  const region = document.getElementById(isUrgent ? "fd-assertive" : "fd-polite");
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 200);
  setTimeout(() => { if (region.textContent === text) region.textContent = ""; }, STAY); // read, and not to be found again
}

function show({ text, level = "info", link, linkText, stay = false, key = "" }) {
  if (!text) return;
  if (key) box.querySelector(`[data-key="${CSS.escape(key)}"]`)?.remove();
  const toast = document.createElement("div");
  toast.className = "fd-toast";
  toast.dataset.level = level;
  if (key) toast.dataset.key = key;
  const body = document.createElement("div");
  body.className = "fd-toast-text";
  body.textContent = text;
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link;
    anchor.target = "_blank";
    anchor.textContent = linkText;
    body.append(" ", anchor);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "fd-toast-x";
  close.setAttribute("aria-label", texts.close);
  close.append(cloneIcon("close"));
  toast.append(cloneIcon(level), body, close);
  box.append(toast);
  raise();
  announce(toast, text, level);

  let timer;
  const remove = () => {
    toast.remove();
    hideEmpty();
  };
  const start = () => {
    if (!stay && level !== "error") timer = setTimeout(remove, STAY);
  };
  close.addEventListener("click", remove);
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, start);
  start();
}

document.addEventListener("fd:toast-close", (event) => {
  box.querySelector(`[data-key="${CSS.escape(event.detail)}"]`)?.remove();
  hideEmpty();
});
document.addEventListener("fd:toast", (event) => (event.detail?.toasts || []).forEach(show));
for (const message of box.querySelectorAll("[data-toast]")) {
  message.remove();
  show({ text: message.textContent.trim(), level: message.dataset.level.split(" ").pop() || "info" });
}
