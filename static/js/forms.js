// Forms: no double submit, copy buttons, focus on the error summary.
const on = document.addEventListener.bind(document);
const guarded = new Set();

on("submit", (event) => {
  const button = event.submitter;
  if (!button || event.target.method !== "post" || event.target.matches("#bulk, [data-appearance], [data-again]")) return;
  // A moment later: a disabled button's own name and value would be missing from what is sent.
  setTimeout(() => {
    button.disabled = button.ariaDisabled = true;
    guarded.add(button);
  });
});

function release() {
  for (const button of guarded) button.disabled = button.ariaDisabled = false;
  guarded.clear();
}
addEventListener("pageshow", release);
for (const type of ["lotline:answered", "htmx:afterRequest"]) on(type, release);

on("click", async (event) => {
  const button = event.target.closest(".copy:not(.is-copied)");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy || button.previousElementSibling.textContent);
  const mark = () => button.classList.toggle("is-copied");
  mark();
  setTimeout(mark, 1500);
});

document.getElementById("error-summary")?.focus();
