// <details class="menu">: closes on Esc, on a choice, on a click elsewhere; arrow keys walk the items.
const on = document.addEventListener.bind(document);
const $ = (selector, root = document) => root.querySelector(selector);
const openMenus = () => document.querySelectorAll("details.menu[open]");
const panelOf = (menu) => $(":scope > .menu-panel", menu);

function close(menu, refocus) {
  if (refocus) $("summary", menu).focus();
  menu.open = false;
}

// A scrolling table would clip its menus, so there the panel goes to the top layer, placed beside its button.
function lift(menu) {
  const panel = panelOf(menu);
  if (!panel || !menu.closest(".table-scroll")) return;
  if (!menu.open) return void (panel.matches(":popover-open") && panel.hidePopover());
  panel.popover = "manual";
  if (!panel.matches(":popover-open")) panel.showPopover();
  place(panel, $("summary", menu), menu.matches(".menu-end"));
}

function place(panel, button, isEnd) {
  const { left, right, top, bottom } = button.getBoundingClientRect(), { width, height } = panel.getBoundingClientRect();
  const x = isEnd ? right - width : left, y = bottom + height < innerHeight ? bottom : top - height;
  panel.style.left = `${Math.max(0, Math.min(x, innerWidth - width))}px`;
  panel.style.top = `${Math.max(0, y)}px`;
}

on("toggle", ({ target: menu }) => {
  if (!menu.matches?.("details.menu")) return;
  if (menu.open) for (const other of openMenus()) if (other !== menu) close(other);
  lift(menu);
}, true);

on("click", ({ target }) => {
  for (const menu of openMenus()) {
    const isChoice = panelOf(menu)?.contains(target) && target.closest("a, button");
    if (isChoice && !menu.dataset.keepOpen) close(menu, true);
    else if (!menu.contains(target)) close(menu);
  }
});

on("scroll", ({ target }) => {
  if (target.matches?.(".table-scroll")) for (const menu of openMenus()) lift(menu);
}, true);

on("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!menu || (!step && event.key !== "Escape")) return;
  event.preventDefault();
  event.stopPropagation();
  if (!step) return close(menu, true);
  const items = [...panelOf(menu).querySelectorAll("a, button")];
  items.at((Math.max(items.indexOf(document.activeElement), step > 0 ? -1 : 0) + step) % items.length)?.focus();
});

// One panel serves every row: the links of #row-menu hold {pk} for the row's record.
function openRowMenu(button) {
  const pk = button.closest("tr").id.split("-").pop();
  const panel = $("#row-menu").content.firstElementChild.cloneNode(true);
  for (const link of panel.querySelectorAll("a")) link.setAttribute("href", decodeURI(link.getAttribute("href")).replace("{pk}", pk));
  $("#row-menu-open")?.remove();
  panel.id = "row-menu-open";
  $("#main").append(panel);
  panel.showPopover();
  place(panel, button, true);
  const items = [...panel.querySelectorAll("a")];
  items[0].focus();
  panel.addEventListener("toggle", ({ newState }) => { if (newState === "closed") panel.remove(); });
  panel.addEventListener("click", ({ target }) => { if (target.closest("a")) { button.focus(); panel.hidePopover(); } });
  panel.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") return button.focus();
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
  });
}

on("click", (event) => {
  const button = event.target.closest(".i-menu");
  if (button) openRowMenu(button);
});

// The jobs tray is swapped every two seconds: one that was open stays open. A button there takes itself away with its job,
// so the keyboard goes on from the tray, or from the page when nothing is left in it.
let wasOpen = false, wasUsed = false;
on("htmx:beforeSwap", ({ detail }) => {
  wasOpen = Boolean($("[data-keep-open][open]"));
  wasUsed = detail.requestConfig.elt.matches("#jobs-tray form");
});
on("htmx:afterSwap", () => {
  if (wasOpen) $("[data-keep-open]")?.setAttribute("open", "");
  if (wasUsed) ($("#jobs-summary") ?? $("#main")).focus();
});
