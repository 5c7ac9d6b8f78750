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
  const { left, right, top, bottom } = $("summary", menu).getBoundingClientRect(), { width, height } = panel.getBoundingClientRect();
  const x = menu.matches(".menu-end") ? right - width : left, y = bottom + height < innerHeight ? bottom : top - height;
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
