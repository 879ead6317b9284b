/* The session has ended: sign in again in a dialog, on top of the page. Loaded when it is needed. */

const words = document.querySelector("#words").dataset;
const PATIENCE = 30_000; // ms for an answer
let asking; // one dialog, however many requests were refused

/** Resolves true once the page's person is signed in (perhaps they were all the time), false when they closed the dialog. */
export function signInAgain() {
  return (asking ??= ask().finally(() => (asking = undefined)));
}

async function ask() {
  const answer = await fetch(`${words.again}?who=${words.who}`, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(PATIENCE) });
  if (answer.status === 204) return true;
  if (!answer.ok) throw new Error(answer.status);
  const before = document.activeElement;
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "again-title");
  await show(dialog, answer);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      const isIn = dialog.returnValue === "in";
      dialog.remove();
      before?.focus();
      done(isIn);
    });
    dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      send(dialog, event.target, event.submitter);
    });
  });
}

async function send(dialog, form, button) {
  if (button?.hasAttribute("aria-busy")) return;
  const body = new FormData(form);
  body.set("who", words.who);
  body.set("clinic", words.clinic);
  button?.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(PATIENCE) });
    if (answer.headers.get("Content-Type")?.startsWith("application/json")) {
      renew((await answer.json()).token);
      dialog.close("in");
    } else {
      await show(dialog, answer);
    }
  } catch {
    button?.removeAttribute("aria-busy");
    dialog.querySelector("[data-offline]").hidden = false;
  }
}

async function show(dialog, answer) {
  dialog.innerHTML = await answer.text();
  (dialog.querySelector("[aria-invalid=true], [autofocus]") ?? dialog.querySelector("input:not([type=hidden])"))?.focus();
}

/* A new session has a new token: without it nothing of this page would be taken. */
function renew(token) {
  document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach((input) => (input.value = token));
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
}
