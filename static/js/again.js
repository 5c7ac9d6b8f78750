// The page of a form that was sent after the session had ended: it is sent again with the token of the new session, which
// the form's own page has.
const form = document.getElementById("again");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const response = await fetch(form.dataset.page || "/", { headers: { "X-Requested-With": "fetch" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const token = response.ok && page.querySelector("[name=csrfmiddlewaretoken]")?.value;
  document.getElementById("not-yet").hidden = Boolean(token);
  if (!token) return;
  form.elements.csrfmiddlewaretoken.value = token;
  form.submit();
});
