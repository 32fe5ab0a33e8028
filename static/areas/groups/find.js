// A search field inside a form: Enter searches, and does not submit the form.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.("input[data-find]")) event.preventDefault();
});
