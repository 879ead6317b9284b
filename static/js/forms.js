/* Keeps on the server what is typed into a form with data-draft="<its key>", so that nothing is lost. */

const PAUSE = 1200; // ms without typing before the draft is sent

const trouble = (text, retry) => document.dispatchEvent(new CustomEvent("hms:trouble", { detail: { text, retry } }));

function typed(form) {
  const data = new FormData(form);
  for (const name of ["csrfmiddlewaretoken", "idempotency_key", "next"]) data.delete(name);
  form.querySelectorAll("input[type=password]").forEach((input) => data.delete(input.name));
  return new URLSearchParams(data);
}

/* What the server wrote into the form. Somebody may have typed before this script was there. */
function rendered(form) {
  const untouched = form.cloneNode(true);
  untouched.reset();
  return typed(untouched);
}

export function keepDraft(form) {
  if (form.dataset.kept) return;
  form.dataset.kept = "yes";
  const words = document.querySelector("#words").dataset;
  const note = document.querySelector("[data-draft-note]");
  let timer;
  let last = rendered(form).toString();
  let told = false; // that it is too long: once is enough, until it can be kept again
  let sent = Promise.resolve(); // all that was sent has been answered
  let steps = 0; // how often this page has sent its words
  const page = Math.random().toString(36).slice(2);
  const value = (name) => form.querySelector(`[name=${name}]`)?.value ?? "";

  // One after the other: what is typed meanwhile goes along with the next.
  function send() {
    sent = sent.then(() => keep());
  }

  async function keep(options = {}) {
    const body = typed(form);
    if (body.toString() === last || form.dataset.sending) return;
    try {
      // By the key of the form a draft that comes after the form itself is known, by its step one that comes after a newer one. Neither is kept.
      const headers = { "X-CSRFToken": value("csrfmiddlewaretoken"), "Form-Key": value("idempotency_key"), "Draft-Step": `${page}/${++steps}`, "HX-Request": "true" };
      const answer = await fetch(form.dataset.draft, { method: "POST", body, headers, redirect: "manual", signal: AbortSignal.timeout(30_000), ...options });
      if (answer.type === "opaqueredirect") return document.dispatchEvent(new CustomEvent("hms:signed-out", { detail: { retry: () => send() } }));
      if (answer.status === 413) return tooLong(answer);
      if (!answer.ok) throw new Error(answer.status);
      last = body.toString();
      told = false;
      if (note && answer.status !== 204) note.textContent = `${note.dataset.word} ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false })}`;
    } catch {
      if (!options.keepalive) trouble(words.offline, () => send());
    }
  }

  function tooLong(answer) {
    if (!told) trouble(JSON.parse(answer.headers.get("HX-Trigger"))["hms:trouble"].text);
    told = true;
  }

  function sendSoon() {
    clearTimeout(timer);
    timer = setTimeout(send, PAUSE);
  }

  sendSoon();
  form.addEventListener("input", sendSoon);
  form.addEventListener("submit", () => clearTimeout(timer));
  // Who throws the draft away throws the last word away too, and what is on its way arrives before that.
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.discards !== form.dataset.draft) return;
    clearTimeout(timer);
    form.dataset.sending = "yes";
    event.preventDefault();
    sent.then(() => event.target.submit());
  });
  // Leaving the page in the middle of a word: the last of it goes along.
  addEventListener("pagehide", () => {
    clearTimeout(timer);
    keep({ keepalive: true });
  });
}
