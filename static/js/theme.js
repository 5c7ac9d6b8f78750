// The appearance menu: applies at once, tells the server in the background. Without script the form does both.
document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (!form.matches("[data-appearance]") || !button?.name) return;
  event.preventDefault();
  document.documentElement.dataset[button.name] = button.value;
  for (const other of form.querySelectorAll(`[name="${button.name}"]`)) other.setAttribute("aria-pressed", other === button);
  const data = new FormData(form, button);
  data.delete("next"); // this page stays, so the server need not send one
  // keepalive: the choice arrives even if the person leaves the page this instant.
  fetch(form.action, { method: "POST", body: data, keepalive: true });
});
