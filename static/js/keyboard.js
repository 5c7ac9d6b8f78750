// Keys: / search, f filters, a actions, ? help, Ctrl-K palette; in the table arrows, space and Enter.
const store = "lotline.single-keys";
const isOn = () => localStorage.getItem(store) !== "off";
const isTyping = (element) => element.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
const isShown = (element) => element.checkVisibility();

const single = {
  "/": () => document.querySelector("#filters [type=search], [role=search] input"),
  f: () => document.querySelector(".filter-row :is(input, select)"),
  a: () => document.querySelector("[data-actions]"),
  "?": () => document.getElementById("help"),
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    return openPalette();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const target = isOn() && single[event.key]?.();
  if (target) {
    event.preventDefault();
    if (target.matches("dialog")) return target.showModal();
    if (target.matches("summary")) target.parentElement.open = true;
    if (!isShown(target)) document.querySelector("[data-fold]")?.click();
    target.focus();
    return target.select?.();
  }
  walkRows(event);
});

// WCAG 2.1.4: keys of one character can be turned off.
const toggle = document.querySelector("[data-single-keys]");
if (toggle) toggle.checked = isOn();
toggle?.addEventListener("change", () => localStorage.setItem(store, toggle.checked ? "on" : "off"));

function walkRows(event) {
  const scroller = event.target.closest(".table-scroll");
  const onRow = event.target.matches("tbody tr");
  if (!scroller || !(onRow || event.target === scroller)) return;
  const rows = [...scroller.querySelectorAll(".grid > tbody > tr:not(.row-detail, .row-empty)")];
  const at = rows.indexOf(event.target);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = rows[event.key === "ArrowDown" ? at + 1 : Math.max(at, 1) - 1];
    if (!next) return;
    event.preventDefault();
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  } else if (onRow && event.key === " ") {
    event.preventDefault();
    event.target.querySelector("[name=pk]")?.click();
  } else if (onRow && event.key === "Enter") {
    (event.target.querySelector("[data-expand]") ?? event.target.querySelector("td a"))?.click();
  }
}

// The palette lists what the page already offers: navigation, the page's actions, accounts.
const palette = document.getElementById("palette");
const field = palette?.querySelector("input");
const list = palette?.querySelector("[role=listbox]");
let found = [];

function offers() {
  const links = [...document.querySelectorAll(".nav-link, .page-actions a, .account-menu a, .topbar .menu-panel a")];
  return links.map((link) => {
    const label = (link.querySelector(":scope > span:not(.count)") ?? link).textContent.trim();
    const section = link.closest("[aria-labelledby]:not(dialog)")?.previousElementSibling?.textContent ?? "";
    return { link, label, section };
  });
}

function draw(current = 0) {
  const words = field.value.toLowerCase().split(/\s+/);
  found = offers().filter(({ label, section }) => words.every((word) => `${section} ${label}`.toLowerCase().includes(word)));
  list.replaceChildren(...found.map(({ label, section }, index) => {
    const item = document.createElement("div");
    item.className = "menu-item";
    item.id = `palette-${index}`;
    item.role = "option";
    item.setAttribute("aria-selected", String(index === current));
    item.append(label);
    if (section) item.insertAdjacentHTML("beforeend", '<span class="muted"></span>');
    if (section) item.lastChild.textContent = section;
    return item;
  }));
  palette.querySelector("[data-none]").hidden = found.length > 0;
  list.hidden = found.length === 0;
  field.setAttribute("aria-activedescendant", found.length ? `palette-${current}` : "");
  list.children[current]?.scrollIntoView({ block: "nearest" });
}

function choose(index) {
  if (!found[index]) return;
  palette.close();
  found[index].link.click();
}

function openPalette() {
  if (!palette || document.querySelector("dialog[open]")) return;
  field.value = "";
  palette.showModal();
  draw();
}

field?.addEventListener("input", () => draw());
field?.addEventListener("keydown", (event) => {
  const at = found.findIndex((_, index) => list.children[index]?.ariaSelected === "true");
  if (event.key === "Enter") choose(at);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) draw((at + step + found.length) % found.length);
  if (step || event.key === "Enter") event.preventDefault();
});
list?.addEventListener("click", (event) => choose([...list.children].indexOf(event.target.closest("[role=option]"))));
