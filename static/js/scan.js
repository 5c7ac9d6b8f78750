// Scanners type like a keyboard. Many end each code with Tab: behind fast typing, of the last four characters or of a
// shorter code as a whole, it ends a line and does not leave the field. Many send the separator of GS1 codes as Ctrl-],
// which a browser drops.
const FAST = 60, LAST = 4, SEPARATOR = "\x1d";
const typed = new WeakMap();

const isFast = (times) => times.length > 1 && times.every((time, n) => !n || time - times[n - 1] <= FAST);

function insert(field, text) {
  field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
}

document.addEventListener("keydown", (event) => {
  const field = event.target.closest?.("[data-scan]"), { key } = event;
  if (!field || event.altKey || event.metaKey) return;
  const times = typed.get(field) ?? [];
  if (event.ctrlKey && (key === "]" || key === SEPARATOR)) {
    event.preventDefault();
    insert(field, SEPARATOR);
  } else if (key === "Tab" && !event.shiftKey && field.dataset.scan === "lines" && field.value && isFast(times)) {
    event.preventDefault();
    insert(field, "\n");
    typed.delete(field);
  } else if (key.length === 1 && !event.ctrlKey) typed.set(field, [...times, event.timeStamp].slice(-LAST));
  else if (!["Shift", "Control"].includes(key)) typed.delete(field);
});
