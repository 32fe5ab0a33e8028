// Line charts. The library is loaded with the first chart; the data comes from the URL in `data-src`.
const TONES = { "": "--fd-series-1", good: "--fd-good", warn: "--fd-warn", bad: "--fd-bad", off: "--fd-off", busy: "--fd-busy" };
const live = new Set();

// A custom property may contain light-dark(), which only a property of an element resolves.
function color(element, name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

const language = document.documentElement.lang || "en";

function options(Plot, figure, data, width) {
  const plot = figure.querySelector("[data-chart-plot]");
  const ink = color(plot, "--fd-muted-solid");
  const grid = color(plot, "--fd-grid");
  const font = "11px 'Inter Variable', system-ui, sans-serif";
  const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  const zone = document.documentElement.dataset.timeZone || undefined;
  const clock = (options) => new Intl.DateTimeFormat(language, { timeZone: zone, hourCycle: "h23", ...options });
  const hour = clock({ hour: "2-digit", minute: "2-digit" });
  const day = clock({ day: "numeric", month: "short" });
  const full = clock({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const time = (_, ticks, axis, space, step) =>
    ticks.map((tick) => {
      const date = new Date(tick * 1000);
      return step >= 86400 || hour.format(date) === "00:00" ? day.format(date) : hour.format(date);
    });
  const unit = data.unit ? ` ${data.unit}` : "";
  const write = new Intl.NumberFormat(language);
  const short = new Intl.NumberFormat(language, { notation: "compact" });
  return {
    width,
    height: Number(figure.dataset.height),
    cursor: { points: { size: 6 } },
    legend: { live: true },
    axes: [{ ...axis, space: 64, values: time }, { ...axis, size: 48, values: (_, ticks) => ticks.map((tick) => short.format(tick)) }],
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high <= 0 ? 1 : high * 1.08] } },
    tzDate: (seconds) => Plot.tzDate(new Date(seconds * 1000), zone || "Etc/UTC"),
    series: [
      { value: (_, value) => (value == null ? "" : full.format(new Date(value * 1000))) },
      ...data.series.map((series, index) => {
        const stroke = color(plot, TONES[series.tone || ""] && series.tone ? TONES[series.tone] : `--fd-series-${(index % 5) + 1}`);
        return {
          label: series.label,
          stroke,
          width: 1.75,
          dash: index > 0 && !series.tone ? [4 + index * 2, 3] : undefined,
          fill: data.series.length === 1 ? `color-mix(in srgb, ${stroke} 12%, transparent)` : undefined,
          points: { show: false },
          value: (_, value) => (value == null ? "–" : write.format(value) + unit),
        };
      }),
    ],
  };
}

async function draw(figure) {
  const plot = figure.querySelector("[data-chart-plot]");
  const state = figure.querySelector("[data-chart-state]");
  try {
    const [{ default: Plot }, response] = await Promise.all([import(figure.dataset.lib), fetch(figure.dataset.src, { headers: { Accept: "application/json", "X-Poll": "1" } })]);
    if (!response.ok) throw new Error(String(response.status));
    const data = await response.json();
    if (!figure.isConnected) return;
    figure.fdPlot?.destroy();
    figure.fdPlot = undefined;
    if (!data.x.length) {
      if (state) [state.hidden, state.textContent] = [false, state.dataset.none];
      return;
    }
    if (state) state.hidden = true;
    figure.fdPlot = new Plot(options(Plot, figure, data, plot.clientWidth), [data.x, ...data.series.map((series) => series.values)], plot);
    // A screen reader cannot read a canvas: the latest values are added as text.
    let text = figure.querySelector("[data-chart-text]");
    if (!text) {
      text = document.createElement("div");
      text.className = "visually-hidden";
      text.dataset.chartText = "";
      figure.append(text);
    }
    text.textContent = data.series.map((series) => `${series.label}: ${series.values.at(-1) ?? "–"} ${data.unit || ""}`).join("; ");
  } catch {
    if (state && !figure.fdPlot) [state.hidden, state.textContent] = [false, state.dataset.failed];
  }
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const figure = target.closest("[data-chart]");
    if (figure?.fdPlot && target.clientWidth) figure.fdPlot.setSize({ width: target.clientWidth, height: Number(figure.dataset.height) });
  }
});

function find() {
  for (const figure of live) {
    if (figure.isConnected) continue;
    clearInterval(figure.fdTimer);
    figure.fdPlot?.destroy();
    live.delete(figure);
  }
  for (const figure of document.querySelectorAll("[data-chart]")) {
    if (live.has(figure)) continue;
    live.add(figure);
    draw(figure);
    resized.observe(figure.querySelector("[data-chart-plot]"));
    const every = Number(figure.dataset.every || 0);
    if (every) figure.fdTimer = setInterval(() => document.hidden || draw(figure), every * 1000);
  }
}
document.addEventListener("htmx:load", find);
document.addEventListener("fd:theme", () => live.forEach(draw));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => live.forEach(draw));
find();
