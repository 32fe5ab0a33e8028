// Every htmx request: a progress line, messages for failures, no polling in hidden tabs.
const texts = document.getElementById("fd-texts").dataset;
const line = document.getElementById("fd-loading");

function toast(text, level = "error", extra = {}) {
  document.dispatchEvent(new CustomEvent("fd:toast", { detail: { toasts: [{ text, level, ...extra }] } }));
}

// -- progress line: only for requests over 120 ms, and not for polling --
let running = 0;
let timer;
const isPoll = (element) => element.closest?.("[data-poll]") === element;

document.addEventListener("htmx:beforeSend", (event) => {
  if (isPoll(event.detail.elt)) return;
  event.detail.xhr.fdCounted = true;
  running += 1;
  clearTimeout(timer);
  timer = setTimeout(() => line.classList.toggle("fd-loading-on", running > 0), 120);
});

function countDown(event) {
  if (!event.detail.xhr?.fdCounted) return;
  event.detail.xhr.fdCounted = false;
  running = Math.max(0, running - 1);
  if (!running) {
    clearTimeout(timer);
    line.classList.remove("fd-loading-on");
  }
}
document.addEventListener("htmx:afterRequest", countDown);
document.addEventListener("htmx:sendAbort", countDown);

// Polling does not extend the session.
document.addEventListener("htmx:configRequest", (event) => {
  if (isPoll(event.detail.elt)) event.detail.headers["X-Poll"] = "1";
});

// -- polling pauses in a hidden tab and after the session has ended, and resumes with a request --
let isSignedOut = false;
function resume() {
  isSignedOut = false;
  for (const element of document.querySelectorAll("[data-poll][hx-get]")) {
    window.htmx.ajax("GET", element.getAttribute("hx-get"), { source: element });
  }
}
document.addEventListener("htmx:beforeRequest", (event) => {
  if ((document.hidden || isSignedOut) && isPoll(event.detail.elt)) event.preventDefault();
});
document.addEventListener("visibilitychange", () => document.hidden || resume());

// A page that opens signed in says so to the other tabs.
const tabs = new BroadcastChannel("fd-signed-in");
if (document.getElementById("sidebar")) tabs.postMessage("");
tabs.addEventListener("message", () => {
  if (!isSignedOut) return;
  closeSignedOut();
  resume();
});

const closeSignedOut = () => document.dispatchEvent(new CustomEvent("fd:toast-close", { detail: "signed-out" }));
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful) return;
  isSignedOut = false;
  closeSignedOut();
});

// -- signing in changes the CSRF token: the response to a form of a page from before brings the new one --
const REPEATED = "X-Repeated";
function sendAgain({ xhr, elt, target, select, etc, requestConfig }) {
  const token = xhr.getResponseHeader("X-CSRFToken");
  document.body.setAttribute("hx-headers", JSON.stringify({ ...JSON.parse(document.body.getAttribute("hx-headers")), "X-CSRFToken": token }));
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = token;
  const values = requestConfig.formData;
  if (values.has("csrfmiddlewaretoken")) values.set("csrfmiddlewaretoken", token);
  const headers = { "X-CSRFToken": token, [REPEATED]: "1" };
  const again = { source: elt, target, select, swap: etc.swapOverride, values, headers };
  setTimeout(() => window.htmx.ajax(requestConfig.verb, requestConfig.path, again));
}

// -- what refreshes itself does not change while rows are selected or a dialog is open, even if the request was sent before --
const isBusy = () => document.querySelector('dialog[open], [popover=""]:popover-open, form[data-table] input[name="selected"]:is(:checked, [type="hidden"])') !== null;
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.matches?.("[data-live]") && isBusy()) event.preventDefault();
});
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.elt.matches?.("[data-live]") && isBusy()) event.preventDefault();
});

// -- failures --
document.addEventListener("htmx:responseError", (event) => {
  const { xhr, elt } = event.detail;
  if (xhr.status === 401) {
    isSignedOut = true;
    const next = encodeURIComponent(location.pathname + location.search);
    const base = (xhr.getResponseHeader("X-Sign-In") || "/").split("?")[0];
    toast(texts.signedOut, "warning", { link: `${base}?next=${next}`, linkText: texts.signIn, stay: true, key: "signed-out" });
    return;
  }
  if (isPoll(elt)) return;
  const isRepeated = REPEATED in event.detail.requestConfig.headers;
  if (xhr.getResponseHeader("X-CSRFToken") && !isRepeated) return sendAgain(event.detail);
  const text =
    { 400: texts.refused, 403: texts.forbidden, 404: texts.missing, 429: texts.busy }[xhr.status] ||
    (xhr.status >= 500 ? texts.broken : texts.refused);
  // Percent-encoded, because a header holds ASCII only.
  toast(decodeURIComponent(xhr.getResponseHeader("X-Message") || "") || text);
});
document.addEventListener("htmx:sendError", (event) => {
  toast(texts.offline, "error", { key: "offline", stay: !isPoll(event.detail.elt) });
});
document.addEventListener("htmx:timeout", () => toast(texts.slow, "warning"));
