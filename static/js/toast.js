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
  const clear = () => area.querySelectorAll("#failed, #signed-out").forEach((toast) => toast.remove());
  // A part that is asked for again and again says it once. `next` is where to be after signing in.
  const fail = (name, next = location.pathname + location.search) => {
    if ($(`#${name}`)) return;
    clear();
    const toast = $(`#toast-${name}`).content.firstElementChild.cloneNode(true);
    toast.id = name;
    const link = toast.querySelector("p a");
    if (link) link.href += `?next=${encodeURIComponent(next)}`;
    area.append(toast);
  };
  for (const type of ["lotline:failed", "htmx:sendError"]) on(type, () => fail("failed"));
  on("lotline:signed-out", () => fail("signed-out"));
  on("htmx:responseError", ({ detail: { xhr, pathInfo } }) => {
    const asked = pathInfo.finalRequestPath;
    const isHere = asked?.startsWith(`${location.pathname}?`);  // this page, with the filter just typed
    fail(xhr.status === 401 ? "signed-out" : "failed", isHere ? asked : undefined);
  });
  // What works again need not be complained of any longer.
  on("htmx:afterOnLoad", ({ detail }) => { if (detail.xhr.status < 400) clear(); });
  for (const type of ["lotline:filled", "lotline:arrived"]) on(type, clear);
}
