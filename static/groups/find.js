// A search inside a form: Enter looks, it does not send the form around it.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.("input[data-find]")) event.preventDefault();
});
