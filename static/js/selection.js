// Checked rows, "select all that match", and child rows. Showing the bar itself is CSS (:has), see table.css.
const on = document.addEventListener.bind(document);
const $ = (selector) => document.querySelector(selector);
const boxes = () => [...document.querySelectorAll("#table-region tbody [name=pk]")];

function refresh(isAll = false) {
  if (!$("#bulk")) return;
  const rows = boxes(), checked = rows.filter((box) => box.checked).length;
  const page = $("[data-check-page]"), count = $(".bulk-count"), more = $("[data-select-all]");
  const { total, text } = count.dataset;
  page.checked = checked > 0 && checked === rows.length;
  page.indeterminate = checked > 0 && !page.checked;
  $("#bulk").elements.all.value = isAll ? "1" : "";
  count.textContent = text.replace("{n}", isAll ? total : checked.toLocaleString(document.documentElement.lang));
  if (more) more.hidden = isAll || !page.checked;
}

function check(list, isOn) {
  for (const box of list) box.checked = isOn;
  refresh();
}

let last;
on("click", ({ target, shiftKey }) => {
  if (target.matches("tbody [name=pk]")) {
    // Shift: everything between the row checked before and this one.
    const rows = boxes(), [from, to] = [rows.indexOf(last), rows.indexOf(target)].sort((a, b) => a - b);
    check(shiftKey && from >= 0 ? rows.slice(from, to + 1) : [], target.checked);
    last = target;
  }
  if (target.matches("[data-check-page]")) check(boxes(), target.checked);
  if (target.closest("[data-uncheck]")) check(boxes(), false);
  if (target.closest("[data-select-all]")) refresh(true);
});

// Capture: before dialog.js or the browser act on it.
on("submit", (event) => {
  if (event.target.id !== "bulk" || boxes().some((box) => box.checked)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  $("#none-checked").showModal();
}, true);

// Child rows: their space is there before the answer comes, so that nothing jumps twice.
async function expand(button) {
  const row = button.closest("tr"), next = row.nextElementSibling;
  const isOpen = button.ariaExpanded === "true";
  button.ariaExpanded = !isOpen;
  if (next?.matches(".row-detail")) return void (next.hidden = isOpen);
  const child = row.parentElement.insertRow(row.sectionRowIndex + 1), cell = child.insertCell();
  child.className = "row-detail";
  cell.colSpan = row.cells.length;
  const hole = cell.appendChild(Object.assign(document.createElement("div"), { className: "pinned" }));
  const address = row.closest("table").dataset.child.replace("{pk}", row.id.split("-").pop());
  await htmx.ajax("GET", address, { target: cell, swap: "innerHTML", source: button }).catch(() => {});
  if (!hole.isConnected) return;
  child.remove();
  button.ariaExpanded = false;
}

on("click", (event) => {
  const button = event.target.closest(".expander");
  if (button && window.htmx) expand(button);
});

function start() {
  for (const button of document.querySelectorAll(".expander:not([aria-expanded])")) button.ariaExpanded = false;
  refresh();
}
for (const type of ["htmx:afterSettle", "lotline:arrived"]) on(type, start);
addEventListener("pageshow", start);
