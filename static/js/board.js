/* The board: fills its fixed rows anew for days. Nothing is ever added to the page. */

const said = document.body.dataset;
const EVERY = 3_000; // ms between two looks without a stream, which says when there is something to see
const RARELY = 10_000; // with one: minutes of waiting pass without any event
const SETTLE = 100; // ms after the stream's word: every process of the server knows of it by then
const SILENT = 75_000; // ms without a word from the stream after which it counts as dead
const PATIENCE = 10_000; // after which an answer counts as lost
const OLD = 20_000; // without an answer: the board says that it is not current
const LONGEST_PAUSE = 30_000; // between two looks while nothing answers

const one = (selector) => document.querySelector(selector);
const called = [...document.querySelectorAll("[data-called]")];
const next = [...document.querySelectorAll("[data-next]")];
const stale = one("[data-stale]");
const clock = one("[data-clock]");
const soundButton = one("[data-sound]");
const wallClock = new Intl.DateTimeFormat(document.documentElement.lang, {
  hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: said.zone,
});

let tag = "";
let answeredAt = Date.now();
let failures = 0;
let announced = null; // when the latest of the calls was made that were announced; the first answer is not announced
let settings = { chime: false, voice: false };

/** Sets a text only when it is another: what stays the same is neither drawn nor read out again. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function fill(rows, facts, cells) {
  rows.forEach((row, place) => {
    const fact = facts[place];
    row.toggleAttribute("data-empty", !fact);
    Object.entries(cells).forEach(([name, text]) => write(row.querySelector(`[data-${name}]`), fact ? text(fact) : ""));
  });
}

function show(facts) {
  fill(called, facts.called, { token: ([token]) => token, room: ([, room]) => room });
  fill(next, facts.next, {
    token: ([token]) => token,
    wait: ([, minutes]) => (minutes > 0 ? said.minutes.replace("{n}", minutes) : said.soon),
  });
  settings = { chime: facts.chime, voice: facts.voice };
  const fresh = announced === null ? [] : facts.called.filter(([, , , at]) => at > announced);
  if (fresh.length) announce(fresh.reverse());
  announced = Math.max(announced ?? 0, ...facts.called.map(([, , , at]) => at));
}

/* --- Sound: a chime of two notes, and a voice ------------------------------------------------------------------------------- */

let audio = null;
function sound() {
  if (!audio) {
    audio = new AudioContext();
    audio.addEventListener("statechange", offerSound);
  }
  return audio;
}

/** The calls that nobody has heard yet, the earliest first. */
function announce(calls) {
  const row = called[0];
  row.classList.remove("fresh");
  void row.offsetWidth; // so that the animation begins again
  row.classList.add("fresh");
  if (settings.chime) chime();
  if (settings.voice && "speechSynthesis" in window) {
    speechSynthesis.cancel(); // what nobody has heard by now is not caught up with
    calls.forEach(([token, room]) => speak(token, room));
  }
  offerSound();
}

function chime() {
  const context = sound();
  if (context.state !== "running") return;
  [[660, 0], [528, 0.35]].forEach(([pitch, after]) => {
    const tone = context.createOscillator();
    const volume = context.createGain();
    const start = context.currentTime + after;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.25, start);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.9);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.9);
  });
}

function speak(token, room) {
  const spelt = token.replace(/^([A-Z])0*/, "$1 ");
  const words = (room ? said.say : said.sayPlain).replace("{token}", spelt).replace("{room}", room);
  const utterance = new SpeechSynthesisUtterance(words);
  utterance.lang = document.documentElement.lang;
  speechSynthesis.speak(utterance);
}

/** A browser lets nothing sound before somebody has touched the page: then a button asks for it. */
function offerSound() {
  const wanted = settings.chime || settings.voice;
  soundButton.hidden = !wanted || sound().state === "running";
}
soundButton.addEventListener("click", async () => {
  await sound().resume();
  chime();
});

/* --- Looking ------------------------------------------------------------------------------------------------------------------ */

let looking = false;
let wanted = false; // something has happened since the look that is under way began
let timer;

async function look() {
  clearTimeout(timer);
  wanted = looking;
  if (looking) return;
  looking = true;
  try {
    const answer = await fetch(said.now, {
      cache: "no-store",
      headers: tag ? { "If-None-Match": tag } : {},
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (answer.status === 200) {
      tag = answer.headers.get("ETag") ?? "";
      show(await answer.json());
      offerSound();
    } else if (answer.status !== 304) throw new Error(String(answer.status));
    answeredAt = Date.now();
    failures = 0;
  } catch {
    failures += 1; // the network, the server, or an address that was ended: the board says so below and goes on trying
  }
  looking = false;
  tell();
  const pause = failures ? Math.min(LONGEST_PAUSE, EVERY * 2 ** Math.min(failures, 5)) : isTold() ? RARELY : EVERY;
  timer = setTimeout(look, wanted && !failures ? 0 : pause);
}

/* --- The stream says when --------------------------------------------------------------------------------------------------- */

let stream;
let heard = 0;
const isTold = () => stream?.readyState === EventSource.OPEN;

function listen() {
  stream?.close();
  stream = new EventSource(said.stream);
  heard = Date.now();
  for (const kind of ["ready", "changed", "resync", "heartbeat"]) stream.addEventListener(kind, () => heardOf(kind));
}

function heardOf(kind) {
  heard = Date.now();
  if (kind === "heartbeat" || (kind === "changed" && failures)) return; // nothing answers: the pace stays
  failures = 0;
  clearTimeout(timer);
  timer = setTimeout(look, SETTLE);
}

/** A browser comes back by itself, unless it was refused or the other side has gone without a word. */
function keepListening() {
  const isDead = stream.readyState === EventSource.CLOSED ? Date.now() - heard > LONGEST_PAUSE : Date.now() - heard > SILENT;
  if (isDead) listen();
}

function tell() {
  const isOld = Date.now() - answeredAt > OLD;
  if (isOld) write(stale.querySelector("span"), said.old.replace("{time}", wallClock.format(answeredAt)));
  stale.hidden = !isOld;
  document.body.classList.toggle("old", isOld);
  write(clock, wallClock.format(Date.now()));
}

setInterval(() => (tell(), keepListening()), 1_000);
addEventListener("online", () => ((failures = 0), listen(), look()));
listen();
look();
