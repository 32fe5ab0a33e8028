// Fields of keys (products, groups): chips with their names and a search over what the cloud knows. Without script, and when the
// cloud does not answer, keys are typed. The textarea stays the field that is sent: one key a line.
const MOST_ASKED = 5; // connections asked for one search: each is one call to the cloud
const SHOWN = 50;
const KEY = /^[A-Za-z0-9_-]{1,64}$/;
const answers = new Map();
const names = new Map();

async function options(url, typed) {
  const address = `${url}?${new URLSearchParams({ field: "q", q: typed })}`;
  if (!answers.has(address)) {
    answers.set(
      address,
      fetch(address, { headers: { "HX-Request": "true" } })
        .then((answer) => (answer.ok ? answer.text() : ""))
        .catch(() => "")
        .then((text) => {
          const found = [...new DOMParser().parseFromString(text, "text/html").querySelectorAll("option")];
          if (!found.length) answers.delete(address);
          return found.map((option) => ({ key: option.value, name: (option.label || "").split(" · ")[0] }));
        }),
    );
  }
  return answers.get(address);
}

function made(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function enhance(area) {
  const urls = JSON.parse(area.dataset.urls || "{}");
  const { id, form } = area;
  const chips = made("ul", "access-chips");
  const list = made("ul", "access-options", { role: "listbox", id: `${id}_options`, "aria-label": area.dataset.search });
  const input = made("input", "form-control", {
    type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off", placeholder: area.dataset.search,
    role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": list.id,
  });
  const said = made("div", "form-hint", { role: "status" });
  const keys = new Set(area.value.split(/[\s,;]+/).filter(Boolean));
  let active = -1;
  let turn = 0;
  let later;

  for (const name of ["aria-describedby", "aria-invalid"]) if (area.hasAttribute(name)) input.setAttribute(name, area.getAttribute(name));
  area.id = `${id}_keys`;
  input.id = id;
  area.hidden = true;
  list.hidden = true;
  const box = made("div", "access-keys");
  box.append(input, list);
  area.after(chips, box, said);

  function draw() {
    area.value = [...keys].join("\n");
    chips.replaceChildren();
    for (const key of keys) {
      const chip = made("li", "fd-tag access-chip");
      const label = names.get(key);
      if (label) chip.append(label, " ");
      const code = document.createElement("code");
      code.textContent = key;
      const remove = made("button", "access-chip-x", { type: "button", "aria-label": `${area.dataset.remove} ${label || key}` });
      remove.textContent = "×";
      remove.addEventListener("click", () => {
        keys.delete(key);
        draw();
        input.focus();
      });
      chip.append(code, remove);
      chips.append(chip);
    }
    chips.hidden = !keys.size;
  }

  function close() {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function add(text) {
    const wanted = text.split(/[\s,;]+/).filter(Boolean);
    if (!wanted.every((key) => KEY.test(key))) {
      said.textContent = area.dataset.wrong;
      return false;
    }
    wanted.forEach((key) => keys.add(key));
    said.textContent = "";
    input.value = "";
    close();
    draw();
    return true;
  }

  function chosenUrls() {
    const ticked = form ? [...form.querySelectorAll("[name=connections]:checked")].map((tick) => urls[tick.value]) : [];
    return (ticked.length ? ticked : Object.values(urls)).filter(Boolean).slice(0, MOST_ASKED);
  }

  async function look(typed) {
    const found = (await Promise.all(chosenUrls().map((url) => options(url, typed)))).flat();
    for (const { key, name } of found) if (name) names.set(key, name);
    return found;
  }

  async function suggest() {
    const mine = ++turn;
    const typed = input.value.trim();
    const found = await look(typed);
    if (mine !== turn || document.activeElement !== input) return;
    const wanted = typed.toLowerCase();
    const unique = [...new Map(found.map((one) => [one.key, one])).values()];
    const fitting = unique.filter(({ key, name }) => !keys.has(key) && `${name} ${key}`.toLowerCase().includes(wanted)).slice(0, SHOWN);
    list.replaceChildren();
    fitting.forEach(({ key, name }, number) => {
      const item = made("li", "access-option", { role: "option", id: `${list.id}_${number}`, "aria-selected": "false", "data-key": key });
      const code = document.createElement("code");
      code.textContent = key;
      item.append(name ? `${name} ` : "", code);
      list.append(item);
    });
    active = -1;
    list.hidden = !fitting.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    said.textContent = found.length || !typed ? "" : area.dataset.none;
  }

  function move(step) {
    const items = [...list.children];
    if (list.hidden || !items.length) return;
    active = (active + step + items.length + (active < 0 && step < 0 ? 1 : 0)) % items.length;
    items.forEach((item, number) => item.setAttribute("aria-selected", String(number === active)));
    items[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[active].id);
  }

  input.addEventListener("focus", suggest);
  input.addEventListener("click", () => list.hidden && suggest());
  input.addEventListener("blur", () => setTimeout(close, 150));
  input.addEventListener("input", () => {
    clearTimeout(later);
    later = setTimeout(suggest, 250);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) suggest();
      else move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      event.preventDefault();
      close();
    } else if (event.key === "Enter" && (active >= 0 || input.value.trim())) {
      event.preventDefault();
      add(active >= 0 ? list.children[active].dataset.key : input.value);
    }
  });
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("[data-key]");
    if (!item) return;
    event.preventDefault();
    add(item.dataset.key);
  });
  // What was typed and not yet added is sent too: the server says what is wrong with it.
  form?.addEventListener("submit", () => input.value.trim() && !add(input.value) && (area.value += `\n${input.value}`), true);
  draw();
  if (keys.size) look("").then(draw);
}

function enhanceAll() {
  document.querySelectorAll("textarea[data-keys]:not([hidden])").forEach(enhance);
}
document.addEventListener("htmx:load", enhanceAll);
enhanceAll();
