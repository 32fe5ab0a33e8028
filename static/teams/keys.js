// Keys of products and groups with their names; fields of keys: chips, and a search in the cloud. Without script, or when the cloud does not
// respond, users type keys. The form sends the textarea, with one key per line.
const MAX_CONNECTIONS = 5; // connections that one search uses: each is one call to the cloud
const MAX_OPTIONS = 50;
const KEY = /^[A-Za-z0-9_-]{1,64}$/;
const responses = new Map(); // promises of options, by address
const names = new Map(); // names by key

// The options of a connection, with `failed` if it gave no answer: then nobody knows which keys exist.
async function readOptions(address) {
  const response = await fetch(address, { headers: { "HX-Request": "true" } }).catch(() => null);
  const failed = !response?.ok || response.headers.has("X-Unavailable");
  const text = failed ? "" : await response.text();
  const elements = [...new DOMParser().parseFromString(text, "text/html").querySelectorAll("option")];
  if (!elements.length) responses.delete(address);
  return { failed, options: elements.map((option) => ({ key: option.value, name: (option.label || "").split(" · ")[0] })) };
}

function fetchOptions(url, query) {
  const address = `${url}?${new URLSearchParams({ field: "q", q: query })}`;
  if (!responses.has(address)) responses.set(address, readOptions(address));
  return responses.get(address);
}

function createElement(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function enhance(textarea) {
  const urls = JSON.parse(textarea.dataset.urls || "{}");
  const { id, form } = textarea;
  const chips = createElement("ul", "access-chips");
  const list = createElement("ul", "access-options", { role: "listbox", id: `${id}_options`, "aria-label": textarea.dataset.search });
  const input = createElement("input", "form-control", {
    type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off", placeholder: textarea.dataset.search,
    role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": list.id,
  });
  const status = createElement("div", "form-hint", { role: "status" });
  const keys = new Set(textarea.value.split(/[\s,;]+/).filter(Boolean));
  let active = -1;
  let lastSearch = 0;
  let timer;

  for (const name of ["aria-describedby", "aria-invalid"]) if (textarea.hasAttribute(name)) input.setAttribute(name, textarea.getAttribute(name));
  textarea.id = `${id}_keys`;
  input.id = id;
  textarea.hidden = true;
  list.hidden = true;
  const wrapper = createElement("div", "access-keys");
  wrapper.append(input, list);
  textarea.after(chips, wrapper, status);

  function drawChips() {
    textarea.value = [...keys].join("\n");
    chips.replaceChildren();
    for (const key of keys) {
      const chip = createElement("li", "fd-tag access-chip");
      const label = names.get(key);
      if (label) chip.append(label, " ");
      const code = document.createElement("code");
      code.textContent = key;
      const remove = createElement("button", "access-chip-x", { type: "button", "aria-label": `${textarea.dataset.remove} ${label || key}` });
      remove.textContent = "×";
      remove.addEventListener("click", () => {
        keys.delete(key);
        drawChips();
        input.focus();
      });
      chip.append(code, remove);
      chips.append(chip);
    }
    chips.hidden = !keys.size;
  }

  function closeList() {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function addKeys(text) {
    const newKeys = text.split(/[\s,;]+/).filter(Boolean);
    if (!newKeys.every((key) => KEY.test(key))) {
      status.textContent = textarea.dataset.wrong;
      return false;
    }
    newKeys.forEach((key) => keys.add(key));
    status.textContent = "";
    input.value = "";
    closeList();
    drawChips();
    return true;
  }

  function selectedUrls() {
    const isLimited = form?.querySelector("[name=connection_choice][value=some]:checked");
    const checked = isLimited ? [...form.querySelectorAll("[name=connections]:checked")].map((box) => urls[box.value]) : [];
    return (checked.length ? checked : Object.values(urls)).filter(Boolean).slice(0, MAX_CONNECTIONS);
  }

  async function search(query) {
    const answers = await Promise.all(selectedUrls().map((url) => fetchOptions(url, query)));
    const options = answers.flatMap((answer) => answer.options);
    for (const { key, name } of options) if (name) names.set(key, name);
    return { options, failed: !answers.length || answers.some((answer) => answer.failed) };
  }

  // Whether an object with this key exists, as far as the cloud says.
  async function mayExist(key) {
    const { options, failed } = await search(key);
    return failed || options.some((option) => option.key === key);
  }

  async function showSuggestions() {
    const thisSearch = ++lastSearch;
    const query = input.value.trim();
    const { options } = await search(query);
    if (thisSearch !== lastSearch || document.activeElement !== input) return;
    const text = query.toLowerCase();
    const unique = [...new Map(options.map((option) => [option.key, option])).values()];
    const matching = unique.filter(({ key, name }) => !keys.has(key) && `${name} ${key}`.toLowerCase().includes(text)).slice(0, MAX_OPTIONS);
    list.replaceChildren();
    matching.forEach(({ key, name }, number) => {
      const item = createElement("li", "access-option", { role: "option", id: `${list.id}_${number}`, "aria-selected": "false", "data-key": key });
      const code = document.createElement("code");
      code.textContent = key;
      item.append(name ? `${name} ` : "", code);
      list.append(item);
    });
    active = -1;
    list.hidden = !matching.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    status.textContent = options.length || !query ? "" : textarea.dataset.none;
  }

  // Enter takes the selected suggestion, else the typed keys, or for a part of a name the first suggestion.
  async function takeBest() {
    const text = input.value.trim();
    if (active >= 0) return addKeys(list.children[active].dataset.key);
    clearTimeout(timer);
    await showSuggestions();
    if (document.activeElement !== input || input.value.trim() !== text) return false;
    const suggested = [...list.children].map((item) => item.dataset.key);
    if (suggested.length && !suggested.includes(text)) return addKeys(suggested[0]);
    return addTyped(text);
  }

  async function addTyped(text) {
    for (const key of text.split(/[\s,;]+/).filter((each) => KEY.test(each))) {
      if (await mayExist(key)) continue;
      status.textContent = textarea.dataset.unknown.replace("%s", key);
      return false;
    }
    return addKeys(text);
  }

  function moveSelection(step) {
    const items = [...list.children];
    if (list.hidden || !items.length) return;
    active = (active + step + items.length + (active < 0 && step < 0 ? 1 : 0)) % items.length;
    items.forEach((item, number) => item.setAttribute("aria-selected", String(number === active)));
    items[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[active].id);
  }

  input.addEventListener("focus", showSuggestions);
  input.addEventListener("click", () => list.hidden && showSuggestions());
  input.addEventListener("blur", () => setTimeout(closeList, 150));
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(showSuggestions, 250);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) showSuggestions();
      else moveSelection(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      event.preventDefault();
      closeList();
    } else if (event.key === "Enter" && (active >= 0 || input.value.trim())) {
      event.preventDefault();
      takeBest();
    }
  });
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("[data-key]");
    if (!item) return;
    event.preventDefault();
    addKeys(item.dataset.key);
  });
  // Text that is typed but not yet added is added first.
  form?.addEventListener(
    "submit",
    async (event) => {
      if (!input.value.trim()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const { submitter } = event;
      // A form ignores to be submitted during its event.
      if (await addTyped(input.value)) setTimeout(() => form.requestSubmit(submitter));
      else input.focus();
    },
    true,
  );
  drawChips();
  if (keys.size) search("").then(drawChips);
}

// Keys that a page shows get their names before them.
async function addNames(list) {
  if (list.dataset.named) return;
  list.dataset.named = "1";
  const urls = Object.values(JSON.parse(list.dataset.urls)).slice(0, MAX_CONNECTIONS);
  const options = (await Promise.all(urls.map((url) => fetchOptions(url, "")))).flatMap((answer) => answer.options);
  const found = new Map(options.map(({ key, name }) => [key, name]));
  for (const code of list.querySelectorAll("code")) {
    const name = found.get(code.textContent);
    if (name) code.before(name, " ");
  }
}

function enhanceAll() {
  document.querySelectorAll("[data-key-names]").forEach(addNames);
  document.querySelectorAll("textarea[data-keys]:not([hidden])").forEach(enhance);
}
document.addEventListener("htmx:load", enhanceAll);
enhanceAll();
