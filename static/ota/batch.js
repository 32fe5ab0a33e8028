// While somebody ticks devices or has a dialog open, the list below them keeps still.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.detail.elt.matches?.("[data-live]")) return;
  if (document.querySelector('dialog[open], #ota-tasks-results input[name="selected"]:checked')) event.preventDefault();
});
