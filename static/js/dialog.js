// [data-dialog] on a link or a submit button shows the page it leads to in <dialog id="dialog">: the part of it that is
// marked data-dialog-content. [data-opens="id"] opens a dialog of this page; [data-open-now] opens itself.
const on = document.addEventListener.bind(document);
const $ = (selector, root = document) => root.querySelector(selector);
const box = $("#dialog");
const tell = (name) => document.dispatchEvent(new Event(`lotline:${name}`));
const show = (dialog) => dialog && !dialog.open && dialog.showModal();
let opener = "";

function fill(page, url) {
  const content = $("[data-dialog-content]", page);
  if (!content) return false;
  box.classList.toggle("dialog-wide", content.dataset.dialogContent === "wide");
  $("#dialog-title").textContent = content.dataset.title || $("h1", page)?.textContent;
  // A form without an action means "this page", which here is another one than the browser's.
  for (const form of content.querySelectorAll("form:not([action])")) form.setAttribute("action", url);
  const body = $("[data-dialog-body]", box);
  body.replaceChildren(content);
  window.htmx?.process(body);
  show(box);
  tell("filled");
  ($(".notice-bad, [aria-invalid=true], [autofocus]", body) ?? $("input:not([type=hidden]), select, textarea, .form-actions .btn", body))?.focus();
  return true;
}

// After a change the server answers with a redirect: that page's main part comes in place, scrolled as before, so that
// the eye stays where it is, and its messages, which are read only once, arrive as toasts.
function arrive(page, url) {
  box.close();
  const top = $("#table-scroll")?.scrollTop;
  for (const part of ["#main", ".sidebar", ".breadcrumb", "#jobs-tray"]) {
    const fresh = $(part, page);
    if (!fresh) continue;
    $(part)?.replaceWith(fresh);
    window.htmx?.process(fresh);
  }
  if (top) $("#table-scroll")?.scrollTo({ top });
  document.title = page.title;
  if (url !== location.href) history.pushState({}, "", url);
  $("#toasts").append(...page.querySelectorAll("#toasts > *"));
  (opener && $(`a[data-dialog][href="${CSS.escape(opener)}"]`) || $("#main")).focus({ preventScroll: true });
  openNow();
  tell("arrived");
}

// No answer, or a server in trouble. A form in the open dialog stays as it is and says so itself, in its own words if it
// has some (data-failed): a toast would lie under the dialog.
function fail(form, how = "failed") {
  if (!box?.open || !box.contains(form)) return tell(how);
  const notice = $(`#dialog-${how}`).content.firstElementChild.cloneNode(true);
  if (how === "failed" && form.dataset.failed) $("strong", notice).textContent = form.dataset.failed;
  ($(".form-actions", form) ?? form.lastElementChild).before(notice);
  notice.focus();
}

// Who signed in again, in another tab, has other tokens than the forms that were open: this page gives one.
async function renew() {
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const fresh = $("[name=csrfmiddlewaretoken]", page)?.value;
  if (fresh) for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = fresh;
  return fresh;
}

async function load(url, options, native, form, isSecond = false) {
  try {
    const response = await fetch(url, { ...options, headers: { "X-Requested-With": "fetch" } });
    if (response.status === 401) return fail(form, "signed-out");
    if (response.headers.has("X-Form-Too-Old") && !isSecond) {
      const token = await renew();
      if (token) options.body.set("csrfmiddlewaretoken", token);
      if (token) return load(url, options, native, form, true);
    }
    if (response.status >= 500) return fail(form);
    if (!response.headers.get("Content-Type")?.startsWith("text/html")) return native();
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (fill(page, response.url)) return;
    if (response.redirected && response.ok && $("#main", page)) arrive(page, response.url);
    else if (response.ok) location.assign(response.url);
    else fail(form);
  } catch {
    fail(form);
  }
}

on("click", (event) => {
  const target = event.target.closest("[data-opens], [data-close], [data-cancel], a[data-dialog]");
  if (!target || !box || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const dialog = target.closest("dialog");
  if (target.dataset.opens) return show($(`#${target.dataset.opens}`));
  if (target.matches("a[data-dialog]")) {
    event.preventDefault();
    opener = target.getAttribute("href");
    load(target.href, {}, () => location.assign(target.href));
  } else if (dialog) {
    event.preventDefault();
    dialog.close();
  }
});

on("submit", (event) => {
  const { target: form, submitter } = event;
  const isOurs = submitter?.matches("[data-dialog]") || (box?.contains(form) && !form.matches("[data-native]"));
  if (!isOurs || event.defaultPrevented || form.method === "dialog") return;
  event.preventDefault();
  $("[data-failure]", form)?.remove();
  const body = new FormData(form, submitter);
  const url = new URL(submitter?.getAttribute("formaction") ?? form.getAttribute("action") ?? "", location.href);
  const native = () => { form.dataset.native = ""; form.requestSubmit(submitter); };
  const isGet = form.method === "get";
  if (isGet) url.search = new URLSearchParams(body);
  load(url, isGet ? {} : { method: "POST", body }, native, form).finally(() => tell("answered"));
});

function openNow() {
  for (const dialog of document.querySelectorAll("dialog[data-open-now]:not([open])")) {
    show(dialog);
    dialog.removeAttribute("data-open-now");
    if (dialog.dataset.autoclose) setTimeout(() => dialog.close(), dialog.dataset.autoclose);
  }
}
on("htmx:afterSwap", openNow);
openNow();
