// Copy buttons, relative times, and rows of tabs.
const texts = document.getElementById("fd-texts").dataset;
const polite = document.getElementById("fd-polite");

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Outside a secure context there is no clipboard API: copy a selection.
    const area = document.createElement("textarea");
    area.value = text;
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  event.preventDefault();
  await copy(button.dataset.copy);
  button.focus();
  showCopied(button, true);
  polite.textContent = "";
  setTimeout(() => (polite.textContent = texts.copied), 50);
  setTimeout(() => showCopied(button, false), 1600);
});

function showCopied(button, copied) {
  const use = button.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, copied ? "#check" : "#copy"));
  button.classList.toggle("fd-copied-now", copied);
}

const SPANS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86400, "hour", 3600],
  [2592000, "day", 86400],
];
const formatter = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "always" });
function updateTimes() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const span = SPANS.find(([limit]) => Math.abs(seconds) < limit);
    // Below a minute and beyond a month, keep the server's text.
    if (span && span[2] > 1) time.textContent = formatter.format(Math.round(seconds / span[2]), span[1]);
  }
}
setInterval(updateTimes, 30000);
document.addEventListener("visibilitychange", updateTimes);

// The current tab is in view, also in a row that is wider than the screen.
function showCurrentTab() {
  for (const tab of document.querySelectorAll(".fd-tabs > :is([aria-current], [aria-pressed=true])")) {
    const row = tab.parentElement;
    row.scrollLeft += tab.getBoundingClientRect().right - row.getBoundingClientRect().right + 48;
  }
}
showCurrentTab();
document.addEventListener("htmx:afterSettle", showCurrentTab);
