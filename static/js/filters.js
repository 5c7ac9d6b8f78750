// Header filters and search: all are fields of <form id="filters">, wherever in the page they stand.
const form = () => document.getElementById("filters");
const region = () => document.getElementById("table-region");
const isFilter = (element) => element?.form?.id === "filters" && element.name;

document.addEventListener("input", (event) => {
  if (!isFilter(event.target)) return;
  // An older answer still on its way would put back the text of before the last keystroke.
  window.htmx?.trigger(form(), "htmx:abort");
  const typed = !event.target.matches("select, [type=checkbox], [type=radio], [type=date]");
  window.htmx?.trigger(form(), typed ? "filters:typed" : "filters:set");
});

// Enter in a header field: these stand outside the form element, so say it plainly.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && isFilter(event.target) && event.target.matches("input")) {
    event.preventDefault();
    form().requestSubmit();
  }
});

// Empty fields stay out of the address. Fires for htmx and for a plain submit alike.
document.addEventListener("formdata", (event) => {
  if (event.target.id !== "filters") return;
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});

const isRegion = (event) => event.detail.target?.id === "table-region";

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isRegion(event)) region().setAttribute("aria-busy", "true");
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (isRegion(event)) region()?.removeAttribute("aria-busy");
});

let kept = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!isRegion(event)) return;
  const scroller = document.getElementById("table-scroll");
  kept = { left: scroller?.scrollLeft ?? 0, folded: "folded" in region().dataset, inside: region().contains(document.activeElement) };
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (!kept || !isRegion(event)) return;
  const scroller = document.getElementById("table-scroll");
  if (scroller) scroller.scrollLeft = kept.left;
  if (!kept.folded) unfold();
  // The link that was pressed may be gone (a chip): keep the keyboard in the table.
  if (kept.inside && document.activeElement === document.body) scroller?.focus({ preventScroll: true });
  const status = document.getElementById("list-status");
  if (status) status.textContent = region().dataset.count;
  kept = null;
});

for (const type of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(type, () => document.dispatchEvent(new CustomEvent("lotline:failed")));
}

function unfold(button = document.querySelector("[data-fold]")) {
  const open = region().toggleAttribute("data-folded");
  button?.setAttribute("aria-expanded", String(!open));
}
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-fold]")) unfold();
  // The search field stands outside the region that the server sends anew.
  if (event.target.closest("[data-clear-search]")) for (const field of form()?.elements ?? []) if (field.type === "search") field.value = "";
});
