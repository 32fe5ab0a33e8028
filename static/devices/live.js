// The "Live" switch of the device list: the list asks again while it is on, but never under the person's hands.
const remembered = "devices-live";
const toggle = document.querySelector("[data-live-switch]");

if (toggle) {
  toggle.checked = sessionStorage.getItem(remembered) === "on";
  toggle.addEventListener("change", () => sessionStorage.setItem(remembered, toggle.checked ? "on" : "off"));
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.detail.elt.matches?.("[data-live]")) return;
  const ticked = document.querySelector('#devices-results input[name="selected"]:checked');
  const open = document.querySelector("dialog[open], [popover]:popover-open");
  if (!toggle?.checked || ticked || open) event.preventDefault();
});
