// Charts over time. The library is loaded with the first chart; the data comes from the URL in `data-src`:
// {"x": [seconds since 1970], "series": [{"label", "color", "values"}], "period": [start, end] of the time axis, or null}. A value may
// be null: nothing was measured. A refresh changes a chart in place, so that the pointer keeps showing the values below it.
const WINDOW = 600; // seconds: the shortest time that a chart without a period shows
const LATE = 0.02; // the share of the period after which the start of the data is marked
const ROOM = 190; // pixels: enough to center the text of that mark before the data
const ROWS = 200; // of the table of values
const live = new Set();
const language = document.documentElement.lang || "en";
const zone = document.documentElement.dataset.timeZone || Intl.DateTimeFormat().resolvedOptions().timeZone;
// As all times of the console: 2026-03-31 18:00:00. Swedish writes them in this way.
const iso = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
const grouped = new Intl.NumberFormat(language);
const compact = new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 3 });
const steps = [1, 2, 5].flatMap((digit) => Array.from({ length: 10 }, (_, power) => digit * 10 ** power)).sort((a, b) => a - b);

const part = (figure, name) => figure.querySelector(`[data-chart-${name}]`);
const write = (value) => (value == null ? "–" : grouped.format(value));
const at = (seconds) => new Date(seconds * 1000);

function make(tag, content, className = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.append(content);
  return element;
}

// A custom property may contain light-dark(), which only a property of an element resolves.
function resolve(figure, property) {
  const probe = document.createElement("i");
  probe.style.color = `var(${property})`;
  figure.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

// -- the plot --

// Labels that the reader cannot tell apart are written once.
const withoutRepeats = (labels) => labels.map((label, index) => (label === labels[index - 1] ? "" : label));

function timeLabels(ticks, step) {
  return withoutRepeats(
    ticks.map((tick) => {
      const [day, time] = iso.format(at(tick)).split(" ");
      if (step < 60) return time;
      return step >= 86400 || time.startsWith("00:00") ? day.slice(5) : time.slice(0, 5);
    }),
  );
}

// The values to draw: of a stacked chart, the sums of each series and those below it.
function drawn(figure, data) {
  const columns = data.series.map((series) => series.values);
  if (!figure.hasAttribute("data-stacked")) return [data.x, ...columns];
  const sums = columns.map((_, last) => data.x.map((_, row) => {
    const stack = columns.slice(0, last + 1).map((column) => column[row]);
    return stack.includes(null) ? null : stack.reduce((sum, value) => sum + value, 0);
  }));
  return [data.x, ...sums];
}

function timeRange(data) {
  const first = data.x[0];
  return data.period ?? [first, Math.max(data.x.at(-1), first + WINDOW)];
}

const isMeasured = (data, row) => data.series.some((series) => series.values[row] != null);

// Marks the part of the time axis before the first measurement, and says when the data begin.
function markStart(figure, chart) {
  const data = figure.fdData;
  const first = data.x.findIndex((_, row) => isMeasured(data, row));
  const [start, end] = timeRange(data);
  let mark = chart.over.querySelector("[data-chart-since]");
  if (data.x[first] - start < (end - start) * LATE) return mark?.remove();
  if (!mark) {
    mark = make("div", make("span", ""), "fd-chart-since");
    mark.dataset.chartSince = "";
    chart.over.prepend(mark);
  }
  const width = chart.valToPos(data.x[first], "x");
  mark.style.width = `${width}px`;
  mark.classList.toggle("fd-chart-since-wide", width > ROOM);
  mark.firstChild.textContent = figure.dataset.since.replace("{time}", exact(data, first));
}

// A measurement between two gaps has no line: it is drawn as a point.
function lonely(plot, index) {
  const values = plot.data[index];
  return values.flatMap((value, row) => (value != null && values[row - 1] == null && values[row + 1] == null ? [row] : []));
}

function options(Plot, figure, data) {
  const stacked = figure.hasAttribute("data-stacked");
  const font = "12px 'Inter Variable', system-ui, sans-serif";
  const grid = { stroke: resolve(figure, "--fd-chart-grid"), width: 1 };
  const axis = { stroke: resolve(figure, "--fd-muted-solid"), font, grid, ticks: { show: false } };
  const plot = part(figure, "plot");
  return {
    width: plot.clientWidth,
    height: plot.clientHeight,
    padding: [8, 8, 0, 0],
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    legend: { show: false },
    drawOrder: stacked ? ["series", "axes"] : ["axes", "series"], // areas would hide the lines of the axes
    axes: [
      { ...axis, size: 26, space: 64, values: (_, ticks, _axis, _space, step) => timeLabels(ticks, step) },
      { ...axis, size: 48, incrs: steps, values: (_, ticks) => withoutRepeats(ticks.map((tick) => compact.format(tick))) },
    ],
    scales: {
      x: { range: () => timeRange(figure.fdData) },
      y: { range: (_, low, high) => [0, Math.max(1, (high ?? 0) * 1.08)] },
    },
    tzDate: (seconds) => Plot.tzDate(at(seconds), zone),
    bands: stacked ? data.series.slice(1).map((_, index) => ({ series: [index + 2, index + 1] })) : [],
    series: [
      {},
      ...data.series.map((series) => {
        const color = resolve(figure, series.color);
        const points = { show: false, size: 5, filter: lonely, stroke: color, fill: color };
        if (!stacked) return { label: series.label, stroke: color, width: 1.75, points };
        // A line in the color of the card separates the areas: one in their color would cover the area below a value of 0.
        return { label: series.label, stroke: resolve(figure, "--fd-surface"), fill: color, width: 1, points };
      }),
    ],
    hooks: {
      setCursor: [(chart) => showValues(figure, chart.cursor.idx)],
      draw: [(chart) => markStart(figure, chart)],
    },
  };
}

// -- the legend and the table --

const latestRow = (data) => data.x.findLastIndex((_, row) => isMeasured(data, row));
const exact = (data, row) => iso.format(at(data.x[row])).slice(0, data.x.some((seconds) => seconds % 60) ? undefined : -3);

function buildLegend(figure, data) {
  const items = data.series.map((series) => {
    const mark = make("i", "", "fd-chart-mark");
    mark.style.background = resolve(figure, series.color);
    const item = make("li", mark);
    item.append(make("span", series.label), make("b", ""));
    return item;
  });
  part(figure, "legend").replaceChildren(...items, make("li", "", "fd-chart-time"));
}

// Writes the values at the pointer into the legend, or the latest ones without a pointer.
function showValues(figure, row) {
  const data = figure.fdData;
  const shown = row == null || !isMeasured(data, row) ? latestRow(data) : row;
  const items = [...part(figure, "legend").children];
  data.series.forEach((series, index) => (items[index].querySelector("b").textContent = write(series.values[shown])));
  const time = shown < 0 ? "" : exact(data, shown);
  items.at(-1).textContent = time && shown !== row ? figure.dataset.latest.replace("{time}", time) : time;
}

function fillTable(figure) {
  const data = figure.fdData;
  const details = part(figure, "table");
  if (!details.open || !data) return;
  const head = make("tr", make("th", details.dataset.time));
  head.append(...data.series.map((series) => make("th", series.label)));
  const rows = data.x.map((_, row) => {
    const line = make("tr", make("td", exact(data, row)));
    line.append(...data.series.map((series) => make("td", write(series.values[row]))));
    return line;
  });
  const table = make("table", make("thead", head));
  const body = document.createElement("tbody");
  body.append(...rows.reverse().slice(0, ROWS));
  table.append(body);
  details.querySelector("[role=region]").replaceChildren(table);
}

// -- loading --

function say(figure, text) {
  part(figure, "state").textContent = text;
  part(figure, "state").hidden = !text;
}

function show(figure, Plot, data) {
  const labels = data.series.map((series) => series.label).join("\n");
  const isSame = figure.fdPlot && figure.fdLabels === labels;
  const measured = data.x.filter((_, row) => isMeasured(data, row)).length;
  const isEmpty = measured < 2; // a point alone shows no change
  figure.fdData = data;
  figure.classList.toggle("fd-chart-empty", isEmpty);
  if (!isSame || isEmpty) {
    figure.fdPlot?.destroy();
    figure.fdPlot = undefined;
    buildLegend(figure, data);
  }
  say(figure, !measured ? figure.dataset.none : isEmpty ? figure.dataset.once.replace("{time}", exact(data, latestRow(data))) : "");
  if (!isEmpty) {
    figure.fdLabels = labels;
    if (isSame) figure.fdPlot.setData(drawn(figure, data));
    else figure.fdPlot = new Plot(options(Plot, figure, data), drawn(figure, data), part(figure, "plot"));
  }
  showValues(figure, figure.fdPlot?.cursor.idx);
  fillTable(figure);
}

async function load(figure) {
  const source = new URL(figure.dataset.src, location.href);
  if (figure.dataset.days) source.searchParams.set("days", figure.dataset.days);
  const number = (figure.fdRequest = (figure.fdRequest ?? 0) + 1);
  try {
    const [{ default: Plot }, response] = await Promise.all([
      import(figure.dataset.lib),
      fetch(source, { headers: { Accept: "application/json", "X-Poll": "1" } }),
    ]);
    if (!response.ok) throw new Error(String(response.status));
    const data = await response.json();
    if (figure.isConnected && number === figure.fdRequest) show(figure, Plot, data);
  } catch {
    if (!figure.fdPlot) say(figure, figure.dataset.failed);
  }
}

// Other colors need a new plot.
function redraw(figure) {
  figure.fdPlot?.destroy();
  figure.fdPlot = undefined;
  load(figure);
}

function choosePeriod(figure, button) {
  for (const other of figure.querySelectorAll("[data-days]")) other.setAttribute("aria-pressed", String(other === button));
  figure.dataset.days = button.dataset.days;
  load(figure);
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const figure = target.closest("[data-chart]");
    if (figure?.fdPlot && target.clientWidth) figure.fdPlot.setSize({ width: target.clientWidth, height: target.clientHeight });
  }
});

function start(figure) {
  live.add(figure);
  load(figure);
  resized.observe(part(figure, "plot"));
  part(figure, "table").addEventListener("toggle", () => fillTable(figure));
  for (const button of figure.querySelectorAll("button[data-days]")) button.addEventListener("click", () => choosePeriod(figure, button));
  const every = Number(figure.dataset.every || 0);
  if (every) figure.fdTimer = setInterval(() => document.hidden || load(figure), every * 1000);
}

function find() {
  for (const figure of live) {
    if (figure.isConnected) continue;
    clearInterval(figure.fdTimer);
    figure.fdPlot?.destroy();
    live.delete(figure);
  }
  for (const figure of document.querySelectorAll("[data-chart]")) if (!live.has(figure)) start(figure);
}
document.addEventListener("htmx:load", find);
document.addEventListener("fd:charts", () => live.forEach(load));
document.addEventListener("fd:theme", () => live.forEach(redraw));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => live.forEach(redraw));
find();
