// What is typed into form[data-keeps] outlives its page, which no browser may keep (Cache-Control: no-store): Back and
// reload show it again. It lies in this tab only, by person, account and page (data-keeps names the first two), until the
// form has been answered with another page, or the person signs out.
const on = document.addEventListener.bind(document);
const prefix = "typed:";
const keyOf = (form) => `${prefix}${form.dataset.keeps} ${location.pathname}${location.search}`;
const all = () => Object.keys(sessionStorage).filter((key) => key.startsWith(prefix));
const read = (key) => JSON.parse(sessionStorage.getItem(key) ?? "null") ?? { fields: {} };
const isTyped = (field) => field.name && !["hidden", "password", "file", "submit"].includes(field.type);
const isBox = (field) => ["checkbox", "radio"].includes(field.type);

function write(key, kept) {
  try {
    sessionStorage.setItem(key, JSON.stringify(kept));
  } catch {
    sessionStorage.removeItem(key);  // full: better nothing than the half of it
  }
}

function keep({ target }) {
  const form = target.closest?.("form[data-keeps]");
  if (!form || !isTyped(target)) return;
  const kept = read(keyOf(form));
  kept.fields[isBox(target) ? `${target.name}=${target.value}` : target.name] = isBox(target) ? target.checked : target.value;
  write(keyOf(form), kept);
}

function bringBack(form) {
  const { fields } = read(keyOf(form));
  for (const field of form.elements) {
    const kept = isTyped(field) ? fields[isBox(field) ? `${field.name}=${field.value}` : field.name] : undefined;
    if (kept === undefined || kept === (isBox(field) ? field.checked : field.value)) continue;
    field[isBox(field) ? "checked" : "value"] = kept;
    field.dispatchEvent(new Event("input", { bubbles: true }));  // what watches the field looks at it again
  }
}

for (const type of ["input", "change"]) on(type, keep);
on("submit", ({ target }) => {
  if (target.matches("[data-forgets]")) all().forEach((key) => sessionStorage.removeItem(key));
  if (target.matches("[data-keeps]") && sessionStorage.getItem(keyOf(target))) write(keyOf(target), { ...read(keyOf(target)), isSent: true });
});

const form = document.querySelector("form[data-keeps]");
const isBack = ["back_forward", "reload"].includes(performance.getEntriesByType("navigation")[0]?.type);
for (const key of all()) {
  if (!read(key).isSent) continue;
  if (form && keyOf(form) === key) write(key, { fields: read(key).fields });  // it came back with a question or a fault
  else if (!isBack) sessionStorage.removeItem(key);
}
if (form && isBack) bringBack(form);
