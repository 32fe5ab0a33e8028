// The auto-refresh switch of the device list. The list does not refresh while devices are selected or a dialog is open.
const storageKey = "devices-live";
const toggle = document.querySelector("[data-live-switch]");

if (toggle) {
  toggle.checked = sessionStorage.getItem(storageKey) === "on";
  toggle.addEventListener("change", () => sessionStorage.setItem(storageKey, toggle.checked ? "on" : "off"));
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.detail.elt.matches?.("[data-live]")) return;
  const selected = document.querySelector('#devices-results input[name="selected"]:checked');
  const open = document.querySelector("dialog[open], [popover]:popover-open");
  if (!toggle?.checked || selected || open) event.preventDefault();
});
