// Checked rows, "select all that match", and child rows. Showing the bar itself is CSS (:has), see table.css.
const boxes = () => [...document.querySelectorAll("#table-region tbody [name=pk]")];
const bulk = () => document.getElementById("bulk");
const bar = () => document.querySelector(".bulk-bar");

function refresh({ all = false } = {}) {
  if (!bulk()) return;
  const rows = boxes(), checked = rows.filter((box) => box.checked);
  const page = document.querySelector("[data-check-page]");
  page.checked = rows.length > 0 && checked.length === rows.length;
  page.indeterminate = checked.length > 0 && !page.checked;
  bulk().elements.all.value = all ? "1" : "";
  const count = bar().querySelector(".bulk-count"), total = Number(count.dataset.total);
  const n = all ? total : checked.length;
  count.textContent = count.dataset.text.replace("{n}", n.toLocaleString(document.documentElement.lang));
  const more = bar().querySelector("[data-select-all]");
  if (more) more.hidden = all || !page.checked || total <= rows.length;
}

function check(list, on) {
  for (const box of list) box.checked = on;
  refresh();
}

let last = null;
document.addEventListener("click", (event) => {
  const box = event.target.closest("tbody [name=pk]");
  if (box) {
    // Shift: everything between the row checked before and this one.
    const rows = boxes(), from = rows.indexOf(last), to = rows.indexOf(box);
    if (event.shiftKey && from >= 0) check(rows.slice(Math.min(from, to), Math.max(from, to) + 1), box.checked);
    last = box;
    return refresh();
  }
  if (event.target.closest("[data-check-page]")) check(boxes(), event.target.checked);
  if (event.target.closest("[data-uncheck]")) check(boxes(), false);
  if (event.target.closest("[data-select-all]")) refresh({ all: true });
});
document.addEventListener("change", (event) => event.target.matches("tbody [name=pk]") && refresh());

// Capture: before dialog.js or the browser act on it.
document.addEventListener("submit", (event) => {
  if (event.target.id !== "bulk" || boxes().some((box) => box.checked)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  document.getElementById("none-checked")?.showModal();
}, true);

// Child rows: the space is there before the answer comes, so nothing jumps twice.
async function expand(link) {
  const row = link.closest("tr"), next = row.nextElementSibling;
  const isOpen = link.getAttribute("aria-expanded") === "true";
  link.setAttribute("aria-expanded", String(!isOpen));
  if (next?.matches(".row-detail")) return void (next.hidden = isOpen);
  const child = row.parentElement.insertRow(row.sectionRowIndex + 1);
  child.className = "row-detail";
  const cell = child.insertCell();
  cell.colSpan = row.cells.length;
  cell.innerHTML = '<div class="pinned"></div>';
  cell.setAttribute("aria-busy", "true");
  try {
    await window.htmx.ajax("GET", link.dataset.expand, { target: cell, swap: "innerHTML", source: link });
    if (cell.querySelector(".pinned:empty")) throw new Error("no answer");
    cell.removeAttribute("aria-busy");
  } catch {
    child.remove();
    link.setAttribute("aria-expanded", "false");
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-expand]");
  if (!link || !window.htmx || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  expand(link);
});

function start() {
  for (const link of document.querySelectorAll("a[data-expand]:not([aria-expanded])")) {
    link.setAttribute("role", "button");
    link.setAttribute("aria-expanded", "false");
  }
  refresh();
}
document.addEventListener("htmx:afterSettle", start);
addEventListener("pageshow", start);
start();
