/* The kiosk: one step at a time, and back to the start whenever somebody has gone. The page works without it, all steps at once.
   Answers are put in place, so that the browser's history holds nothing; every new start is a new page. */

const said = document.body.dataset;
const main = document.querySelector("main");
const PATIENCE = 20_000; // ms for an answer

const PAUSE = 5_000; // ms between two tries to begin anew

/** From the beginning, as for the first person today; not before there is one: an error page would never leave by itself. */
async function restart() {
  clearTimeout(leaving);
  main.replaceChildren();
  const start = location.origin + location.pathname;
  const found = await fetch(start, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) }).catch(() => undefined);
  if (found?.ok) location.replace(start);
  else leaving = setTimeout(restart, PAUSE);
}

let leaving;
function stay() {
  clearTimeout(leaving);
  if (!main.querySelector("[data-step=start]:not([hidden])")) leaving = setTimeout(restart, said.seconds * 1_000);
}
["pointerdown", "keydown", "input"].forEach((name) => document.addEventListener(name, stay));

function go(step) {
  main.classList.add("ready"); // from here on the steps are hidden one by one; before, by the sheet
  main.querySelectorAll("[data-step]").forEach((section) => (section.hidden = section.dataset.step !== step));
  if (step !== "start") main.querySelector(`[data-step="${step}"] :is(input:not([type=hidden]), button)`)?.focus();
  stay();
}

document.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-go]");
  if (chosen) go(chosen.dataset.go);
  if (event.target.closest("[data-again]")) {
    event.preventDefault();
    restart();
  }
  if (event.target.closest("[data-print]")) print();
});

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.dataset.sending) return;
  form.dataset.sending = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
  const body = new URLSearchParams(new FormData(form, event.submitter));
  form.reset();
  try {
    const answer = await fetch(location.href, { method: "POST", body, headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(PATIENCE) });
    if (![200, 422, 429].includes(answer.status)) throw new Error(String(answer.status));
    main.innerHTML = await answer.text();
    main.querySelector("[data-focus]")?.focus();
  } catch {
    const trouble = document.createElement("h1");
    trouble.textContent = said.failed;
    trouble.role = "alert";
    main.replaceChildren(trouble);
  }
  stay();
});

// Back from the browser's page cache: nothing of the last person may be there.
addEventListener("pageshow", (event) => event.persisted && restart());

if (main.querySelector("[data-step=start]")) {
  document.querySelectorAll("form").forEach((form) => form.reset());
  go("start");
} else stay();
