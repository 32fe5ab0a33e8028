// The auto-refresh switch of the device list.
const storageKey = "devices-live";
const toggle = document.querySelector("[data-live-switch]");

if (toggle) {
  toggle.checked = sessionStorage.getItem(storageKey) === "on";
  toggle.addEventListener("change", () => sessionStorage.setItem(storageKey, toggle.checked ? "on" : "off"));
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "devices-refresh" && !toggle?.checked) event.preventDefault();
});
