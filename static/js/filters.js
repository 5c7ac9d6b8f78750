// Header filters and search: all are fields of <form id="filters">, wherever in the page they stand.
const $ = (selector) => document.querySelector(selector);
const isFilter = (element) => element.form?.id === "filters" && element.name;
const isRegion = (event) => event.detail.target?.id === "table-region";
const on = document.addEventListener.bind(document);
const onRegion = (type, act) => on(type, (event) => isRegion(event) && act());

on("input", ({ target }) => {
  if (!isFilter(target) || !window.htmx) return;
  // An older answer still on its way would put back the text of before the last keystroke.
  htmx.trigger("#filters", "htmx:abort");
  htmx.trigger("#filters", target.matches("select, [type=checkbox], [type=date]") ? "filters:set" : "filters:typed");
});

// Empty fields stay out of the address. Fires for htmx and for a plain submit alike.
on("formdata", ({ target, formData }) => {
  if (target.id === "filters") for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
});

onRegion("htmx:beforeRequest", () => $("#table-region").setAttribute("aria-busy", "true"));
onRegion("htmx:afterRequest", () => $("#table-region").removeAttribute("aria-busy"));

let before = {};
onRegion("htmx:beforeSwap", () => {
  before = {
    left: $("#table-scroll")?.scrollLeft,
    isOpen: !$("#table-region[data-folded]"),
    hadFocus: $("#table-region").contains(document.activeElement),
  };
});
onRegion("htmx:afterSettle", () => {
  const scroller = $("#table-scroll");
  scroller?.scrollTo({ left: before.left });
  if (before.isOpen) fold();
  // What was pressed may be gone (a chip): keep the keyboard in the table.
  if (before.hadFocus && document.activeElement === document.body) scroller?.focus({ preventScroll: true });
  $("#list-status").textContent = $("#table-region").dataset.count;
});

function fold() {
  const isFolded = $("#table-region").toggleAttribute("data-folded");
  $("[data-fold]")?.setAttribute("aria-expanded", !isFolded);
}
on("click", ({ target }) => {
  if (target.closest("[data-fold]")) fold();
  // The search field stands outside the region that the server sends anew.
  const search = $("#filters [type=search]");
  if (search && target.closest("[data-clear-search]")) search.value = "";
});
