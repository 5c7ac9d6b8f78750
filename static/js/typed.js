// What is typed into form[data-keeps] outlives its page, which no browser may keep (Cache-Control: no-store): Back and
// reload show it again. It lies in this tab only, by person, account and page (data-keeps names the first two), until the
// form has been answered with another page or is opened anew, or the person signs out. A row that is another one by now,
// because somebody removed one above it, does not get it.
const on = document.addEventListener.bind(document);
const prefix = "typed:";
const keyOf = (form) => `${prefix}${form.dataset.keeps} ${location.pathname}${location.search}`;
const all = () => Object.keys(sessionStorage).filter((key) => key.startsWith(prefix));
const read = (key) => JSON.parse(sessionStorage.getItem(key) ?? "null") ?? { fields: {}, versions: {} };
const isTyped = (field) => field.name && !["hidden", "password", "file", "submit"].includes(field.type);
const isBox = (field) => ["checkbox", "radio"].includes(field.type);

// The fields of one row have one beginning, as in lines-2-quantity; the version of a row is what the server sent in it.
const rowOf = (name) => name.slice(0, name.split("=")[0].lastIndexOf("-") + 1);

function sent(field) {
  if (field.type === "hidden") return ["csrfmiddlewaretoken", "key"].includes(field.name) ? "" : field.value;
  if (field.options) return [...field.options].filter((option) => option.defaultSelected).map((option) => option.value).join();
  return isBox(field) ? `${field.value} ${field.defaultChecked}` : field.defaultValue ?? "";
}

function versionsOf(form) {
  const rows = {};
  for (const field of form.elements) {
    if (field.name) rows[rowOf(field.name)] = `${rows[rowOf(field.name)] ?? ""}\n${field.name}=${sent(field)}`;
  }
  return Object.fromEntries(Object.entries(rows).map(([row, text]) => [row, digest(text)]));
}

function digest(text) {
  let sum = 0;
  for (let at = 0; at < text.length; at += 1) sum = (sum * 31 + text.charCodeAt(at)) % 2 ** 47;
  return `${text.length} ${sum}`;
}

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
  kept.versions[rowOf(target.name)] = versions[rowOf(target.name)];
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
const versions = form ? versionsOf(form) : {};
const { type, responseStatus } = performance.getEntriesByType("navigation")[0] ?? {};
const isBack = ["back_forward", "reload"].includes(type);
for (const key of all()) {
  const { fields, isSent, versions: of = {} } = read(key);
  const isShown = form && keyOf(form) === key;
  if (isShown && isBack) {
    const same = Object.entries(fields).filter(([name]) => of[rowOf(name)] === versions[rowOf(name)]);
    write(key, { fields: Object.fromEntries(same), versions: of });
  } else if (isShown && isSent && responseStatus === 422) {  // it came back with a question or a fault
    write(key, { fields, versions });
  } else if (isShown || (isSent && !isBack)) sessionStorage.removeItem(key);
}
if (form && isBack) bringBack(form);
