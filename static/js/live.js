/* What happens in the clinic, as it happens: one stream for all tabs of a browser, and fragments that renew themselves.

   Elements with data-live="appointments queue" are fetched anew (from their hx-get, else the page's own address) when something
   happens on one of these channels. Every frame is raised as the event "hms:live" { id, channel, event, data }. */

const words = document.querySelector("#words").dataset;
const NAME = `hms-live-${words.who}-${words.clinic}`;
const SETTLE = 150; // ms for what comes together
const APART = 1_000; // ms between two times that the page fetches what has changed, however much happens
const SILENT = 75_000; // ms without a word, heartbeats included, after which a connection counts as dead
const RENEWED = 60_000; // ms after which what is shown is fetched anyway: minutes of waiting pass without any event
const BACK_OFF = [2_000, 5_000, 10_000, 30_000, 60_000]; // ms between tries when the server has refused
const SHOWN = 3_000; // ms without a connection that nobody need know of

const shared = navigator.locks && "BroadcastChannel" in window;
const channel = shared ? new BroadcastChannel(NAME) : null;

let state = "connecting"; // live | connecting | offline
let source, release, asked, refusals, retry, heard;
let fresh = Date.now(); // what the page shows is true of then
let rendered = Date.now(); // and was made then
let newest = 0; // the id of the last frame that came
let arrived = false; // has the page been connected at all?

/* --- One tab has the stream, and tells the others --------------------------------------------------------------------- */

function lead() {
  if (!shared) return open();
  asked = new AbortController();
  const hold = () => new Promise((done) => ((release = done), open()));
  navigator.locks.request(NAME, { signal: asked.signal }, hold).catch(() => {}); // aborted: the page was put away
}

function open() {
  close();
  const since = newest ? `&last_event_id=${newest}` : "";
  source = new EventSource(`/api/v2/events?clinic_id=${words.clinic}${since}`);
  heard = Date.now();
  for (const kind of ["message", "ready", "resync", "heartbeat", "bye"]) source.addEventListener(kind, ({ data }) => took(JSON.parse(data)));
  source.addEventListener("error", () => {
    tell("connecting");
    if (source.readyState !== EventSource.CLOSED) return; // the browser comes back by itself
    clearTimeout(retry);
    retry = setTimeout(open, BACK_OFF[Math.min(refusals, BACK_OFF.length - 1)]);
    refusals += 1;
  });
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = undefined;
}

function took(frame) {
  heard = Date.now();
  if (frame.type === "bye") return; // an error follows, and the browser comes back
  refusals = 0;
  tell("live");
  channel?.postMessage({ frame });
  came(frame);
}

function tell(now) {
  channel?.postMessage({ state: now });
  become(now);
}

channel?.addEventListener("message", ({ data }) => {
  if (data.frame) came(data.frame);
  if (data.state) become(data.state);
  if (data.newest > newest) newest = data.newest;
  if (data.hello && source) channel?.postMessage({ state, newest });
});

/* --- What came ---------------------------------------------------------------------------------------------------------- */

function came(frame) {
  newest = frame.type === "resync" ? frame.id : Math.max(newest, frame.id ?? 0);
  if (frame.type === "resync") renew(all());
  if (frame.type !== "event") {
    if (state === "live" && !late.size) fresh = Date.now();
    return;
  }
  document.dispatchEvent(new CustomEvent("hms:live", { detail: frame }));
  renew(all().filter((one) => one.dataset.live.split(" ").includes(frame.channel)));
}

const all = () => [...document.querySelectorAll("[data-live]")];

/* --- Fragments renew themselves -------------------------------------------------------------------------------------------- */

const late = new Set(); // ids of fragments that don't show what is known to have happened
let settling, renewing;
let notBefore = 0; // when the next time may be

function renew(elements) {
  for (const one of elements) late.add(one.id);
  if (!late.size || document.hidden) return; // whoever looks at the page again finds it renewed
  settling ??= setTimeout(() => {
    settling = undefined;
    renewing ??= renewAll().finally(() => ((renewing = undefined), (notBefore = Math.max(notBefore, Date.now() + APART))));
  }, Math.max(SETTLE, notBefore - Date.now()));
}

async function renewAll() {
  for (const id of [...late]) {
    const element = document.getElementById(id);
    if (element && isBusy(element)) continue;
    late.delete(id);
    if (!element?.dataset.live) continue;
    try {
      await fetched(element);
    } catch {
      late.add(id); // shown as it was, and asked for again
      if (!navigator.onLine) become("offline");
      setTimeout(() => renew([]), Math.max(5_000, notBefore - Date.now()));
      return;
    }
  }
  if (late.size) setTimeout(() => renew([]), 500);
  else fresh = rendered = Date.now();
}

/* Something of it is on its way to the server, or is being written by an input method: not now. */
const isBusy = (element) => element.matches(".htmx-request") || isInUse(element);
const isInUse = (element) => composing || element.querySelector("[data-sending], [aria-busy], .htmx-request, dialog[open]");
let composing = false;
document.addEventListener("compositionstart", () => (composing = true));
document.addEventListener("compositionend", () => (composing = false));

async function fetched(element) {
  const headers = { "HX-Request": "true" };
  if (element.dataset.tag) headers["If-None-Match"] = `"${element.dataset.tag}"`;
  const answer = await fetch(element.getAttribute("hx-get") || location.href, { headers, signal: AbortSignal.timeout(30_000) });
  if (answer.status === 304) return; // it shows what there is
  if (answer.redirected) return; // the session is over: the next thing the person does says so
  if (!answer.ok) {
    notBefore = Date.now() + (Number(answer.headers.get("Retry-After")) || 5) * 1_000; // busy, or too many: not at once again
    throw new Error(answer.status);
  }
  const found = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = found.getElementById(element.id);
  if (!now || !element.isConnected) return;
  if (isBusy(element)) return late.add(element.id);
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  morph(element, now);
  if (focused && document.activeElement !== focused) (focused.isConnected ? focused : document.querySelector("#main")).focus({ preventScroll: true });
  document.querySelector("#toasts")?.append(...(found.querySelector("#toasts")?.children ?? []));
  element.dispatchEvent(new CustomEvent("hms:renewed", { bubbles: true }));
}

/* Make `old` what `now` is by changing as little as possible: what stays keeps focus, selection, scroll and what was typed. */
function morph(old, now) {
  if (old.isEqualNode(now)) return;
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name) && !OWN.has(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value && !OWN.has(name)) old.setAttribute(name, value);
  let at = old.firstChild;
  for (const fresh of [...now.childNodes]) {
    const match = matching(at, fresh);
    if (match) {
      if (match === at) at = at.nextSibling;
      else move(old, match, at);
      if (match.nodeType === Node.ELEMENT_NODE) morph(match, fresh);
      else if (match.nodeValue !== fresh.nodeValue) match.nodeValue = fresh.nodeValue;
    } else {
      const added = document.importNode(fresh, true);
      old.insertBefore(added, at);
      if (added.nodeType === Node.ELEMENT_NODE) window.htmx?.process(added);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

const OWN = new Set(["open"]); // the person's, not the server's
const SAME = ["id", "data-key", "action", "href", "name", "type"]; // what differs in these is something else, and so in hx-…

function isSame(one, other) {
  if (one.nodeType !== other.nodeType || one.nodeName !== other.nodeName) return false;
  if (one.nodeType !== Node.ELEMENT_NODE) return true;
  if (SAME.some((name) => one.getAttribute(name) !== other.getAttribute(name))) return false;
  const own = (element) => element.getAttributeNames().filter((name) => name.startsWith("hx-"));
  return own(one).length === own(other).length && own(other).every((name) => one.getAttribute(name) === other.getAttribute(name));
}

/* The node from `at` on that the new one continues. What has a name of its own may be found further on; other things only here. */
function matching(at, fresh) {
  const named = fresh.nodeType === Node.ELEMENT_NODE && (fresh.id || fresh.dataset.key);
  for (let one = at; one; one = one.nextSibling) {
    if (isSame(one, fresh)) return one;
    if (!named && one.nodeType === Node.ELEMENT_NODE) return null;
  }
  return null;
}

function move(parent, node, before) {
  if (parent.moveBefore) parent.moveBefore(node, before); // keeps the focus inside
  else parent.insertBefore(node, before);
}

/* While the stream is up nothing need be asked for again and again; and what somebody is doing in a part goes on. */
const asksByItself = ({ elt, requestConfig }) => elt.matches?.("[data-live]") && !requestConfig?.triggeringEvent;
document.addEventListener("htmx:beforeRequest", (event) => {
  if (asksByItself(event.detail) && (state === "live" || isBusy(event.detail.elt))) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (asksByItself(event.detail) && isInUse(event.detail.elt)) event.detail.shouldSwap = false; // begun while it was on its way
});

/* --- How the connection is ------------------------------------------------------------------------------------------------- */

const badge = document.querySelector("#live");
const stale = document.querySelector("#stale");
let showing;

function become(now) {
  if (now === "connecting" && !navigator.onLine) now = "offline";
  if (state === now && showing !== undefined) return;
  const was = state;
  state = now;
  clearTimeout(showing);
  showing = setTimeout(show, now === "live" || now === "offline" ? 0 : SHOWN);
  if (now !== "live" || was === "live") return;
  renew(arrived ? [] : all()); // what could not be fetched meanwhile; at first whatever happened since the page was made
  arrived = true;
}

function show() {
  document.documentElement.dataset.connection = state;
  if (badge) {
    badge.hidden = false;
    badge.dataset.tone = { live: "ok", connecting: "warn", offline: "bad" }[state];
    badge.textContent = badge.dataset[state === "live" ? "on" : state];
  }
  if (!stale) return;
  stale.hidden = state === "live";
  const time = stale.querySelector("time");
  time.dateTime = new Date(fresh).toISOString();
  time.textContent = new Date(fresh).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
}

addEventListener("offline", () => become("offline"));
addEventListener("online", () => {
  become("connecting");
  if (release || !shared) open();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if (source && Date.now() - heard > SILENT) open();
  renew(Date.now() - rendered > RENEWED ? all() : []);
});
setInterval(() => {
  if (source && source.readyState !== EventSource.CLOSED && Date.now() - heard > SILENT) open();
  if (Date.now() - rendered > RENEWED) renew(all());
}, 15_000);

/* A page that is put away gives the stream to another tab; one that comes back takes part again. */
function part() {
  close();
  asked?.abort();
  release?.();
  release = undefined;
}
addEventListener("pagehide", part);
document.addEventListener("freeze", part);
for (const [target, kind] of [[window, "pageshow"], [document, "resume"]]) {
  target.addEventListener(kind, (event) => {
    if (kind === "pageshow" && !event.persisted) return;
    lead();
    renew(all());
  });
}

refusals = 0;
channel?.postMessage({ hello: true });
lead();
