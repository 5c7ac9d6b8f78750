// Toasts: what happened elsewhere. Good news leaves by itself unless it is being read or holds a link; bad news stays.
const $ = (selector) => document.querySelector(selector);
const area = $("#toasts");

function watch(toast) {
  if (toast.matches(".toast-error, .toast-warning, :has(p a)")) return;
  let timer;
  const start = () => { timer = setTimeout(() => toast.remove(), 6000); };
  for (const type of ["pointerenter", "focusin"]) toast.addEventListener(type, () => clearTimeout(timer));
  for (const type of ["pointerleave", "focusout"]) toast.addEventListener(type, start);
  start();
}

if (area) {
  for (const toast of area.children) watch(toast);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) if (node.matches?.("[data-toast]")) watch(node);
  }).observe(area, { childList: true });
  area.addEventListener("click", ({ target }) => target.closest("[data-dismiss]")?.closest("[data-toast]").remove());
  document.addEventListener("toast", ({ detail: { text, tone = "info" } }) => {
    const toast = $(`#toast-${tone}`).content.firstElementChild.cloneNode(true);
    toast.querySelector("p").prepend(text);
    area.append(toast);
  });
  for (const type of ["lotline:failed", "htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(type, () => {
      $("#failed")?.remove();
      area.append($("#toast-failed").content.firstElementChild.cloneNode(true));
      area.lastElementChild.id = "failed";
    });
  }
}
