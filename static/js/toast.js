// Toasts: what happened elsewhere. Good news leaves by itself unless it is being read or holds a link; bad news stays.
const $ = (selector) => document.querySelector(selector);
const on = document.addEventListener.bind(document);
const area = $("#toasts");

function watch(toast) {
  toast.dataset.watched = "";
  if (toast.matches(".toast-error, .toast-warning, :has(p a)")) return;
  let timer;
  const start = () => { timer = setTimeout(() => toast.remove(), 6000); };
  for (const type of ["pointerenter", "focusin"]) toast.addEventListener(type, () => clearTimeout(timer));
  for (const type of ["pointerleave", "focusout"]) toast.addEventListener(type, start);
  start();
}

if (area) {
  const watchAll = () => area.querySelectorAll("[data-toast]:not([data-watched])").forEach(watch);
  watchAll();
  on("lotline:arrived", watchAll);
  area.addEventListener("click", ({ target }) => target.closest("[data-dismiss]")?.closest("[data-toast]").remove());
  on("toast", ({ detail: { text, tone = "info" } }) => {
    const toast = $(`#toast-${tone}`).content.firstElementChild.cloneNode(true);
    toast.querySelector("p").prepend(text);
    area.append(toast);
    watchAll();
  });
  for (const type of ["lotline:failed", "htmx:responseError", "htmx:sendError"]) {
    on(type, () => {
      $("#failed")?.remove();
      area.append($("#toast-failed").content.firstElementChild.cloneNode(true));
      area.lastElementChild.id = "failed";
    });
  }
}
