// Keys: / search, f filters, a actions, ? help, Ctrl-K palette; in the table arrows, space and Enter.
const $ = (selector, root = document) => root.querySelector(selector);

const single = { "/": "[role=search] input", f: ".filter-row :is(input, select)", a: "[data-actions]", "?": "#help" };

// WCAG 2.1.4: keys of one character can be turned off.
const store = "lotline.single-keys", toggle = $("[data-single-keys]");
const isOn = () => localStorage.getItem(store) !== "off";
if (toggle) toggle.checked = isOn();
toggle?.addEventListener("change", () => localStorage.setItem(store, toggle.checked ? "on" : "off"));

document.addEventListener("keydown", (event) => {
  if ($("dialog[open]")) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    return openPalette();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea")) return;
  const target = isOn() && single[event.key] && $(single[event.key]);
  if (!target) return walkRows(event);
  event.preventDefault();
  if (target.matches("dialog")) return target.showModal();
  if (target.matches("summary")) target.parentElement.open = true;
  if (!target.checkVisibility()) $("[data-fold]")?.click();
  target.focus();
  target.select?.();
});

function walkRows(event) {
  const { key, target } = event, scroller = target.closest("#table-scroll");
  const isRow = target.matches("tbody > tr");
  if (!scroller || !(isRow || target === scroller)) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (step) {
    const rows = [...scroller.querySelectorAll(".grid > tbody > tr:not(.row-detail, .row-empty)")];
    const next = rows[rows.indexOf(target) + step];
    if (!next) return;
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  } else if (isRow && key === " ") $("[name=pk]", target)?.click();
  else if (isRow && key === "Enter") ($(".expander", target) ?? $("td a", target))?.click();
  else return;
  event.preventDefault();
}

// The palette lists the links that the page already has: navigation, actions, accounts, the person's menu.
const palette = $("#palette"), field = palette && $("input", palette), list = palette && $("[role=listbox]", palette);
const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
let found = [], current = 0;

function offers() {
  const links = document.querySelectorAll(".nav-link, .page-actions a, .account-menu a, .topbar .menu-panel a");
  return Array.from(links, (link) => ({
    link,
    label: ($(":scope > span:not(.count)", link) ?? link).textContent.trim(),
    section: link.closest(".nav-list ul")?.previousElementSibling.textContent ?? "",
  }));
}

function draw(at = 0) {
  const words = field.value.toLowerCase().split(/\s+/);
  found = offers().filter(({ label, section }) => words.every((word) => `${section} ${label}`.toLowerCase().includes(word)));
  current = at;
  list.replaceChildren(...found.map(({ label, section }, index) => {
    const item = make("div", { className: "menu-item", id: `palette-${index}`, role: "option", ariaSelected: index === at });
    item.append(label, make("span", { className: "muted", textContent: section }));
    return item;
  }));
  $("[data-none]", palette).hidden = found.length > 0;
  list.hidden = !found.length;
  field.setAttribute("aria-activedescendant", `palette-${at}`);
  list.children[at]?.scrollIntoView({ block: "nearest" });
}

function choose(index) {
  if (!found[index]) return;
  palette.close();
  found[index].link.click();
}

function openPalette() {
  if (!palette) return;
  field.value = "";
  palette.showModal();
  draw();
}

field?.addEventListener("input", () => draw());
field?.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) draw((current + step + found.length) % found.length);
  else if (event.key === "Enter") choose(current);
  else return;
  event.preventDefault();
});
list?.addEventListener("click", ({ target }) => choose([...list.children].indexOf(target.closest("[role=option]"))));
