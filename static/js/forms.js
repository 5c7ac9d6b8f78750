// Forms: no double submit, file drop, copy buttons, focus on the error summary.
const guarded = new Set();

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.target.method !== "post" || event.target.matches("#bulk, [data-appearance]")) return;
  if (button.getAttribute("aria-disabled") === "true") return event.preventDefault();
  // Not disabled at once: a disabled button's own name and value would be missing from what is sent.
  setTimeout(() => {
    button.setAttribute("aria-disabled", "true");
    button.disabled = true;
    guarded.add(button);
  });
});

function release() {
  for (const button of guarded) {
    button.disabled = false;
    button.removeAttribute("aria-disabled");
  }
  guarded.clear();
}
addEventListener("pageshow", release);
document.addEventListener("lotline:answered", release);
document.addEventListener("htmx:afterRequest", release);

for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    const drop = event.target.closest?.(".drop");
    if (!drop) return;
    event.preventDefault();
    drop.classList.toggle("is-over", type === "dragover");
    const input = drop.querySelector("[type=file]");
    if (type === "drop" && input && event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard?.writeText(button.dataset.copy);
  const use = button.querySelector("use");
  const before = use.getAttribute("href");
  use.setAttribute("href", before.replace(/#.*/, "#check"));
  button.classList.add("is-copied");
  setTimeout(() => {
    use.setAttribute("href", before);
    button.classList.remove("is-copied");
  }, 1500);
});

document.getElementById("error-summary")?.focus();
