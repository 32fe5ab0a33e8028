// After the browser has sent the file, the console transfers it to the platform's store. This can take long: say so.
document.addEventListener("htmx:xhr:progress", (event) => {
  const upload = event.target.querySelector?.("[data-upload]");
  if (!upload || !event.detail.lengthComputable || event.detail.loaded < event.detail.total) return;
  upload.querySelector("progress").removeAttribute("value");
  upload.querySelector("[data-upload-text]").textContent = upload.dataset.transferText;
});
