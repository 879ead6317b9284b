/* Passkeys: the server's question goes to the browser, the browser's answer into the form, and the form is sent as any other. */

const known = window.PublicKeyCredential?.parseRequestOptionsFromJSON;

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!known) break;
  form.hidden = false;
  form.parentElement.querySelector("[data-no-passkeys]")?.remove();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    prove(form);
  });
}

async function prove(form) {
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("[type=submit]");
  problem.hidden = true;
  button.setAttribute("aria-busy", "true");
  try {
    const question = await ask(form);
    if (!question) return;
    const answer = form.dataset.passkey === "create" ? await make(question) : await use(question);
    form.elements.answer.value = JSON.stringify(answer.toJSON());
    form.submit(); // raises no further submit event
  } catch {
    problem.hidden = false; // the person closed the browser's dialog, or there is no passkey here
  } finally {
    button.removeAttribute("aria-busy");
  }
}

async function ask(form) {
  const sent = new FormData(form);
  const answer = await fetch(form.dataset.ask, { method: "POST", body: sent, signal: AbortSignal.timeout(30_000) });
  if (answer.redirected) return location.assign(answer.url); // the password is asked for again first
  return (await answer.json()).publicKey;
}

const make = (question) => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(question) });
const use = (question) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(question) });
