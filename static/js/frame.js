/* The frame's behaviour on every page. Whatever it adds, the page works without it. */

const words = document.querySelector("#words")?.dataset ?? {};

/* --- Forms are sent once ------------------------------------------------------------------------------------------ */

document.addEventListener("submit", sent);
// A button with data-leaves goes on to another page with what the form holds: it is not for htmx, which listens at the form.
document.addEventListener("submit", (event) => {
  if (!event.submitter?.matches("[data-leaves]")) return;
  event.stopPropagation();
  sent(event);
  if (event.defaultPrevented) return;
  event.target.addEventListener("formdata", ({ formData }) => formData.delete("idempotency_key"), { once: true }); // the form's own work has it
}, true);

function sent(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog") return;
  if (form.dataset.sending) {
    event.preventDefault();
    return;
  }
  form.dataset.sending = "yes";
  setTimeout(() => release(form), 30_000); // the answer never came, or loading was stopped: it may be sent again
  (event.submitter ?? form.querySelector("[type=submit]"))?.setAttribute("aria-busy", "true");
  if (asked.delete(form) || !holdsWords(form)) return;
  event.preventDefault(); // sent into a session that is over, they would be lost: ask first
  const go = () => {
    asked.add(form);
    release(form);
    form.requestSubmit(event.submitter);
  };
  backIn(go, () => release(form), true);
}

function release(form) {
  delete form.dataset.sending;
  form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
}

// Back from the browser's page cache: the forms may be sent again.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sending]").forEach(release);
});
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form");
  if (form) release(form);
});

/* --- The session may have ended meanwhile: the person signs in again in a dialog, then what they typed is sent on ----------- */

const asked = new WeakSet(); // forms of which the next submit is sent without asking
const TYPED = "textarea, input:not([type=hidden], [type=checkbox], [type=radio], [type=button], [type=submit])";

function holdsWords(form) {
  return words.again && form.method === "post" && [...form.querySelectorAll(TYPED)].some((field) => field.value);
}

let declined = false; // the dialog was closed: what the page asks by itself does not open it again
let waiting = []; // all that was refused while the dialog is open, to be sent on together

/** Calls `retry` once the person is signed in; else says why not, offers to try again, and calls `otherwise`. */
function backIn(retry, otherwise, pressed = false) {
  if (declined && !pressed) return otherwise?.(); // they have been told, and the offer to try again still stands
  if (waiting.push({ retry, otherwise }) > 1) return;
  import("./again.js")
    .then(({ signInAgain }) => signInAgain())
    .then(
      (isIn) => {
        declined = !isIn;
        answered(isIn ? "" : words.signedOut);
      },
      () => answered(words.offline),
    );
}

function answered(why) {
  const refused = waiting;
  waiting = [];
  if (!why) return refused.forEach(({ retry }) => retry());
  refused.forEach(({ otherwise }) => otherwise?.());
  trouble(why, () => refused.forEach(({ retry, otherwise }) => backIn(retry, otherwise, true)));
}
document.addEventListener("hms:signed-out", (event) => backIn(event.detail.retry));

/* --- Dialogs: data-dialog="id" opens, data-close closes -------------------------------------------------------------- */

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    event.preventDefault();
    document.getElementById(opener.dataset.dialog)?.showModal();
  }
  event.target.closest("[data-close]")?.closest("dialog")?.close();
  event.target.closest("[data-dismiss]")?.closest(".toast")?.remove();
});

/* --- Copying: data-copy="id" puts that element's text into the clipboard; without a script it is selected by hand -------- */

document.querySelectorAll("[data-copy]").forEach((button) => {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.querySelector("[aria-live]").textContent = button.dataset.copied;
  });
});

/* --- Toasts: they stay while somebody reads or reaches for Undo -------------------------------------------------------- */

function letGo(toast) {
  const seconds = toast.querySelector("form") ? 12 : 6;
  setTimeout(() => (toast.matches(":hover, :focus-within") ? letGo(toast) : toast.remove()), seconds * 1000);
}

function watchToasts(root) {
  root.querySelectorAll("[data-toast]:not([data-seen])").forEach((toast) => {
    toast.dataset.seen = "yes";
    letGo(toast);
  });
}
watchToasts(document);

/* --- Troubles on the way: say so, offer to try again. Other modules raise the event "hms:trouble" { text, retry } --------- */

function trouble(text, retry) {
  const template = document.querySelector("#trouble");
  if (!template) return;
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.querySelector("[data-text]").textContent = text;
  const button = toast.querySelector("[data-retry]");
  if (retry) button.addEventListener("click", () => (toast.remove(), retry()));
  else button.remove();
  document.querySelector("#toasts").replaceChildren(toast);
}
document.addEventListener("hms:trouble", (event) => trouble(event.detail.text, event.detail.retry));

/* --- htmx: troubles, focus, what arrives ------------------------------------------------------------------------------ */

function again(event) {
  const { elt } = event.detail;
  return () => {
    if (elt.isConnected) elt.matches("form") ? elt.requestSubmit() : elt.dispatchEvent(new Event("retry"));
  };
}
function wasPressed(event) {
  return ["click", "submit"].includes(event.detail.requestConfig?.triggeringEvent?.type);
}
document.addEventListener("htmx:timeout", (event) => trouble(words.slow, again(event)));
document.addEventListener("htmx:sendError", (event) => trouble(words.offline, again(event)));
document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  if (xhr.getResponseHeader("HX-Trigger")?.includes("hms:trouble")) return; // the answer said itself what is wrong
  if (xhr.status === 401) backIn(again(event), undefined, wasPressed(event));
  else trouble(words.failed, again(event));
});
document.addEventListener("htmx:beforeOnLoad", (event) => {
  // A fragment was asked for and a whole sign-in page came: the session is over. Keep what was typed.
  if (event.detail.xhr.responseURL.includes("/sign-in/")) {
    event.preventDefault();
    backIn(again(event), undefined, wasPressed(event));
  }
});
// Of a live part that had the focus, what had it may be gone: then the new part takes it, and the next Tab goes on from there.
let focused; // the id of such a part, while it is replaced
document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
  if (target.matches("[data-live]")) focused = target.contains(document.activeElement) ? target.id : undefined;
});
document.addEventListener("htmx:afterSettle", ({ target }) => {
  if (!focused || target.id !== focused) return;
  focused = undefined;
  if (document.activeElement !== document.body) return;
  if (!target.hasAttribute("tabindex")) target.tabIndex = -1;
  target.focus({ preventScroll: true });
});
// A part is put in before the one it replaces is taken out: the browser would follow the old one down the page.
document.addEventListener("htmx:beforeSwap", () => (document.documentElement.dataset.swapping = ""));
for (const over of ["htmx:afterSettle", "htmx:afterRequest"]) document.addEventListener(over, () => delete document.documentElement.dataset.swapping);
document.addEventListener("htmx:load", (event) => {
  watchToasts(event.target);
  arrive(event.target);
});

/* --- What a page brings: errors take the focus, drafts are kept, the search box wakes up --------------------------------- */

let forms;
function arrive(root) {
  const all = (selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
  all("[data-focus]")[0]?.focus();
  const kept = all("form[data-draft]");
  if (kept.length) (forms ??= import("./forms.js")).then(({ keepDraft }) => kept.forEach(keepDraft));
}
arrive(document);

/* --- What asks by itself, because no stream tells of it: data-poll="its address", data-every="seconds"; its id is the same in what comes ------------
   Asked for only while the page is seen, and quietly: 204 or the same again changes nothing. What somebody is doing there goes on. */

const SLOWEST = 60; // seconds between two tries while there is no answer
const steady = (html) => html.replace(/<input type="hidden"[^>]*>/g, ""); // every answer has tokens of its own

function poll(id, first) {
  const part = () => document.getElementById(id);
  const every = () => Number(part()?.dataset.every);
  let pause = every();
  let before = "";
  let timer;
  let asking = false;

  const wait = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(look, seconds * 1000);
  };
  const lost = (is) => document.querySelectorAll(`[data-poll-lost="${id}"]`).forEach((note) => (note.hidden = !is));
  const stopped = () => document.hidden || document.querySelector(`[data-poll-switch="${id}"] input`)?.checked === false;

  async function look() {
    if (!part()) return;
    if (stopped()) return wait(every()); // coming back asks at once
    asking = true;
    try {
      const answer = await fetch(part().dataset.poll, { headers: { "HX-Request": "true" }, redirect: "manual", signal: AbortSignal.timeout(30_000) });
      if (answer.type === "opaqueredirect" || !answer.ok) throw new Error(answer.status);
      const html = answer.status === 204 ? "" : await answer.text();
      lost(false);
      pause = every();
      if (html && steady(html) !== before && !inUse(part())) {
        before = steady(html);
        renew(part(), html);
      }
    } catch {
      pause = Math.min(pause * 2, SLOWEST);
      lost(true);
    }
    asking = false;
    wait(pause);
  }

  document.addEventListener("visibilitychange", () => document.hidden || asking || look());
  wait(first ? 0 : every());
}

/** Is something sent from there, pressed or marked just now? Then it is not replaced under the person's hands. */
function inUse(part) {
  const marked = getSelection();
  return part.matches(":active") || part.querySelector(".htmx-request, [data-sending]") || (!marked.isCollapsed && marked.containsNode(part, true));
}

/** Puts the new in the old one's place. Focus, opened details and scrolled tables stay, by their ids. */
function renew(part, html) {
  const within = part.contains(document.activeElement) && part !== document.activeElement;
  const opened = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
  const scrolled = [...part.querySelectorAll("[data-scroll]")].map((one) => [one.id, one.scrollLeft]);
  window.htmx.swap(part, html, { swapStyle: "outerHTML" });
  opened.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  scrolled.forEach(([id, left]) => document.getElementById(id)?.scrollTo({ left }));
  if (within && document.activeElement === document.body) document.getElementById(part.id)?.focus({ preventScroll: true });
}

document.querySelectorAll("[data-poll]").forEach((part) => poll(part.id, "first" in part.dataset));
document.querySelectorAll("[data-poll-switch]").forEach((part) => (part.hidden = false));

/* --- The bell: its link opens a panel with the newest. Without a script, or in a new tab, it leads to the page ---------------- */

const bell = document.querySelector("[data-bell]");
if (bell) {
  const panel = document.getElementById("told");
  let wasOpen = false;
  bell.setAttribute("role", "button");
  bell.setAttribute("aria-haspopup", "dialog");
  bell.setAttribute("aria-expanded", "false");
  bell.setAttribute("aria-controls", panel.id);
  bell.addEventListener("pointerdown", () => (wasOpen = panel.matches(":popover-open"))); // the press itself closes it
  bell.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (!wasOpen) panel.togglePopover();
    wasOpen = false;
  });
  bell.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    bell.click();
  });
  panel.addEventListener("toggle", async (event) => {
    const open = event.newState === "open";
    bell.setAttribute("aria-expanded", open);
    if (!open) return panel.replaceChildren(); // so that nothing is taken from under the fingers when it is opened again
    panel.focus();
    await window.htmx.ajax("GET", bell.dataset.bell, { source: bell, target: panel, swap: "innerHTML" });
  });
}
if (words.clinic && document.querySelector("[data-live]")) import("./live.js");

const box = document.querySelector("[data-search]");
let waking;
const wake = () => (waking ??= import("./search.js").then(({ start }) => start(box)));
box?.addEventListener("focusin", wake, { once: true });
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, [contenteditable], dialog[open]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing || !box) return;
  event.preventDefault();
  box.querySelector("input[type=search]").focus();
});

document.querySelector("[data-rail]")?.addEventListener("change", (event) => {
  document.cookie = `hms_rail=${event.target.checked ? "narrow" : "wide"}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
});
