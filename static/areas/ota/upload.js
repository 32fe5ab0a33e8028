// After the browser has sent the file, the console transfers it to the platform's store. This can take long: say so.
document.addEventListener("htmx:xhr:progress", (event) => {
  const upload = event.target.querySelector?.("[data-upload]");
  if (!upload || !event.detail.lengthComputable || event.detail.loaded < event.detail.total) return;
  upload.querySelector("progress").removeAttribute("value");
  upload.querySelector("[data-upload-text]").textContent = upload.dataset.transferText;
});

// -- the form is checked with the first bytes of the file before all of it is sent --
const CHECKED_BYTES = 512;
let isChecking = false;

document.addEventListener("htmx:confirm", async (event) => {
  const form = event.detail.elt;
  const file = form.matches?.("form[data-check-first]") && form.querySelector("input[type=file]").files[0];
  if (!file || event.defaultPrevented) return;
  event.preventDefault();
  if (isChecking) return;
  isChecking = true;
  const body = new FormData(form);
  body.set("file", file.slice(0, CHECKED_BYTES), file.name);
  const response = await fetch(`${form.action}?check=1`, { method: "POST", body, headers: { "HX-Request": "true" } }).catch(() => null);
  isChecking = false;
  if (response?.status !== 422) return event.detail.issueRequest(true); // its response says what is wrong
  const html = await response.text();
  htmx.swap(form, html, { swapStyle: "outerHTML", swapDelay: 0, settleDelay: 20, show: "window", showTarget: "top" }, { select: "#form" });
});

// -- name and version are proposed from the name of the file --
const proposed = { name: "", version: "" };

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-check-first]");
  if (!form || event.target.type !== "file" || !event.target.files[0]) return;
  const stem = event.target.files[0].name.replace(/\.(tar\.gz|[a-z]+)$/i, "");
  const version = stem.match(/(?:^|[^\p{L}\p{N}])v?(\d+(?:[._]\d+)+(?:-[A-Za-z0-9.]+)?)$/iu)?.[1] || "";
  const proposals = {
    name: stem.replace(/[^\p{L}\p{N}_()-]+/gu, "_").replace(/^[_()-]+/, "").slice(0, 40),
    version: version.replaceAll("_", ".").slice(0, 64),
  };
  for (const [name, proposal] of Object.entries(proposals)) {
    const input = form.elements[name];
    if (input.value && input.value !== proposed[name]) continue;
    proposed[name] = input.value = proposal;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
});
