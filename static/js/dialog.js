// Dialogs. [data-dialog] on a link or a submit button opens the page it leads to inside <dialog id="dialog">: the part
// marked data-dialog-content is taken from the very page that answers without script. [data-opens="id"] opens a dialog
// that is already in the page. <dialog data-open-now data-autoclose="3000"> opens itself and goes again.
const box = document.getElementById("dialog");
const body = box?.querySelector("[data-dialog-body]");

const parse = async (response) => new DOMParser().parseFromString(await response.text(), "text/html");
const isPage = (response) => (response.headers.get("Content-Type") ?? "").startsWith("text/html");

function failed() {
  document.dispatchEvent(new CustomEvent("lotline:failed"));
}

export function show(dialog) {
  if (dialog && !dialog.open) dialog.showModal();
}

function fill(page, url) {
  const content = page.querySelector("[data-dialog-content]");
  if (!content) return false;
  box.classList.toggle("dialog-wide", content.dataset.dialogContent === "wide");
  box.querySelector("#dialog-title").textContent = content.dataset.title || page.querySelector("h1")?.textContent || "";
  // A form without an action means "this page", which is no longer the page the browser is on.
  for (const form of content.querySelectorAll("form:not([action]), form[action='']")) form.setAttribute("action", url);
  body.replaceChildren(document.adoptNode(content));
  window.htmx?.process(body);
  show(box);
  const first = body.querySelector(".notice-bad, [autofocus], [aria-invalid], input:not([type=hidden]), select, textarea, .form-actions .btn");
  first?.focus();
  return true;
}

// After a change the server answers with a redirect: show that page's main part in place, scrolled as it was, so that
// the eye stays where it is and the messages, which are read only once, arrive as toasts.
function arrive(page, url) {
  box.close();
  for (const part of ["#main", ".sidebar", ".breadcrumb", "#jobs-tray"]) {
    const old = document.querySelector(part), fresh = page.querySelector(part);
    if (!old || !fresh) continue;
    const top = document.getElementById("table-scroll")?.scrollTop;
    old.replaceWith(document.adoptNode(fresh));
    window.htmx?.process(fresh);
    const scroller = document.getElementById("table-scroll");
    if (scroller && top) scroller.scrollTop = top;
  }
  document.title = page.title;
  if (url !== location.href) history.pushState({}, "", url);
  document.getElementById("toasts")?.append(...page.querySelectorAll("#toasts > *"));
  openNow();
}

async function load(url, options, fallback) {
  try {
    const response = await fetch(url, { ...options, headers: { "X-Requested-With": "dialog" } });
    if (!isPage(response)) return fallback();
    const page = await parse(response);
    if (!fill(page, response.url)) {
      if (response.redirected && response.ok) arrive(page, response.url);
      else if (response.ok) location.assign(response.url);
      else failed();
    }
  } catch {
    failed();
  }
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-opens], [data-close], [data-cancel], a[data-dialog]");
  if (!target || !box) return;
  const dialog = target.closest("dialog");
  if (target.dataset.opens) return show(document.getElementById(target.dataset.opens));
  if (target.matches("[data-close], [data-cancel]")) {
    if (!dialog) return;
    event.preventDefault();
    return dialog.close();
  }
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  load(target.href, {}, () => location.assign(target.href));
});

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  const wanted = submitter?.hasAttribute("data-dialog") || (box?.contains(form) && !form.hasAttribute("data-native"));
  if (!wanted || event.defaultPrevented || form.method === "dialog") return;
  event.preventDefault();
  const data = new FormData(form, submitter);
  const url = new URL(submitter?.getAttribute("formaction") || form.getAttribute("action") || "", location.href);
  const native = () => { form.setAttribute("data-native", ""); form.requestSubmit(submitter); };
  if (form.method === "get") return void load(Object.assign(url, { search: new URLSearchParams(data) }), {}, native);
  load(url, { method: "POST", body: data }, native).finally(() => document.dispatchEvent(new CustomEvent("lotline:answered")));
});

// A click on the veil closes, but not one that began inside (selecting text and letting go outside).
let pressed = null;
document.addEventListener("pointerdown", (event) => { pressed = event.target; });
document.addEventListener("click", (event) => {
  if (event.target.matches("dialog[open]") && pressed === event.target) event.target.close();
});

function openNow() {
  for (const dialog of document.querySelectorAll("dialog[data-open-now]:not([open])")) {
    dialog.removeAttribute("data-open-now");
    show(dialog);
    if (dialog.dataset.autoclose) setTimeout(() => dialog.close(), Number(dialog.dataset.autoclose));
  }
}
document.addEventListener("htmx:afterSwap", openNow);
openNow();
