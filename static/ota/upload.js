// Once the browser has sent the file, the console passes it on to the platform's store: say so, the wait is long for a large one.
document.addEventListener("htmx:xhr:progress", (event) => {
  const upload = event.target.querySelector?.("[data-upload]");
  if (!upload || !event.detail.lengthComputable || event.detail.loaded < event.detail.total) return;
  upload.querySelector("progress").removeAttribute("value");
  upload.querySelector("[data-upload-text]").textContent = upload.dataset.passing;
});
