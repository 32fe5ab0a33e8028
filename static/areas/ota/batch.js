// The list of devices does not refresh while devices are selected or a dialog is open.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.detail.elt.matches?.("[data-live]")) return;
  if (document.querySelector('dialog[open], #ota-tasks-results input[name="selected"]:checked')) event.preventDefault();
});
