// Toasts: what happened elsewhere. Good news leaves by itself unless it is read or holds a link; bad news stays.
const area = document.getElementById("toasts");
const stay = 6000;

function watch(toast) {
  if (toast.dataset.watched || toast.matches(".toast-error, .toast-warning") || toast.querySelector("p a")) return;
  toast.dataset.watched = "yes";
  let timer;
  const start = () => { timer = setTimeout(() => toast.remove(), stay); };
  const pause = () => clearTimeout(timer);
  for (const type of ["pointerenter", "focusin"]) toast.addEventListener(type, pause);
  for (const type of ["pointerleave", "focusout"]) toast.addEventListener(type, start);
  start();
}

function add({ text, tone = "info" }) {
  const toast = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  toast.classList.replace("toast-info", `toast-${tone}`);
  toast.querySelector("p").textContent = text;
  area.append(toast);
}

if (area) {
  area.querySelectorAll("[data-toast]").forEach(watch);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) if (node.matches?.("[data-toast]")) watch(node);
  }).observe(area, { childList: true });
  area.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest("[data-toast]").remove());
  document.addEventListener("toast", (event) => add(event.detail));
  document.addEventListener("lotline:failed", () => {
    if (!area.querySelector("[data-failed]")) {
      const toast = document.getElementById("toast-failed").content.firstElementChild.cloneNode(true);
      toast.dataset.failed = "";
      area.append(toast);
    }
  });
}
