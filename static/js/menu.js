// <details class="menu">: closes on Esc, on a click elsewhere and when another opens; arrow keys walk the items.
const panelOf = (menu) => menu.querySelector(":scope > .menu-panel");
const openMenus = () => document.querySelectorAll("details.menu[open]");

function close(menu, refocus) {
  menu.open = false;
  if (refocus) menu.querySelector("summary").focus();
}

// A scrolling table would clip its menus, so there the panel goes to the top layer, placed beside its button.
function lift(menu) {
  const panel = panelOf(menu);
  if (!panel || !menu.closest(".table-scroll")) return;
  if (!menu.open) return panel.matches(":popover-open") && panel.hidePopover();
  panel.popover = "manual";
  panel.showPopover();
  const anchor = menu.querySelector("summary").getBoundingClientRect();
  const { width, height } = panel.getBoundingClientRect();
  const wanted = menu.classList.contains("menu-end") ? anchor.right - width : anchor.left;
  const below = anchor.bottom + 4 + height < innerHeight;
  panel.style.left = `${Math.max(4, Math.min(wanted, innerWidth - width - 4))}px`;
  panel.style.top = `${below ? anchor.bottom + 4 : Math.max(4, anchor.top - height - 4)}px`;
}

document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.matches?.("details.menu")) return;
  if (menu.open) for (const other of openMenus()) if (other !== menu) close(other);
  lift(menu);
}, true);

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) {
    const chosen = event.target.closest("a, button");
    if (!menu.contains(event.target) || (chosen && panelOf(menu)?.contains(chosen) && !menu.dataset.keepOpen)) close(menu);
  }
});

document.addEventListener("scroll", (event) => {
  for (const menu of openMenus()) if (event.target.contains?.(menu) && menu.closest(".table-scroll")) close(menu);
}, true);

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (!menu) return;
  if (event.key === "Escape") {
    event.stopPropagation();
    close(menu, true);
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const items = [...panelOf(menu).querySelectorAll("a[href], button:not([disabled])")].filter((item) => item.checkVisibility());
  const at = items.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
  items.at(at % items.length)?.focus();
  event.preventDefault();
});

// The jobs tray is swapped every two seconds: one that was open stays open.
let wasOpen = false;
document.addEventListener("htmx:beforeSwap", () => { wasOpen = Boolean(document.querySelector("[data-keep-open][open]")); });
document.addEventListener("htmx:afterSwap", () => {
  const tray = document.querySelector("[data-keep-open]");
  if (tray && wasOpen) tray.open = true;
});

// Browsers without ::details-content cannot show the folded sidebar on wide screens; open it for them.
if (!CSS.supports("selector(::details-content)") && matchMedia("(min-width: 45rem)").matches) {
  document.querySelector(".nav-fold")?.setAttribute("open", "");
}
