/* The booking panel and the calendar behind it: what is chosen is said on the button and drawn into the column. */

const FIELDS = ["time", "until", "provider", "place"];

function say(input) {
  const form = input.form;
  const scope = form.closest(".panel") ?? form;
  for (const field of FIELDS) scope.querySelectorAll(`[data-said="${field}"]`).forEach((one) => (one.textContent = input.dataset[field]));
  draw(input);
}

/* The visit being booked, dashed, in its provider's column of the day that is shown. */
function draw(input) {
  document.querySelectorAll(".event.draft").forEach((one) => one.remove());
  if (!input) return;
  const provider = input.value.split("~")[1];
  const day = input.form.querySelector("[name=day]:checked")?.value;
  const track = document.querySelector(`[data-calendar] [data-provider="${provider}"][data-day="${day}"] .track`);
  if (!track) return;
  const [hour, minute] = input.dataset.time.split(":").map(Number);
  const [endHour, endMinute] = input.dataset.until.split(":").map(Number);
  const minutes = Math.max(5, Math.round(((endHour - hour) * 60 + endMinute - minute) / 5) * 5);
  const draft = document.createElement("div");
  draft.className = `event draft h${hour} m${minute} d${minutes}`;
  draft.dataset.tone = "accent";
  draft.setAttribute("aria-hidden", "true");
  const words = document.createElement("b");
  words.textContent = `${input.dataset.time} ${input.form.querySelector("[data-patient]")?.dataset.patient ?? ""}`;
  draft.append(words);
  track.append(draft);
}

function chosen() {
  return document.querySelector("form[data-booking] [name=slot]:checked");
}

document.addEventListener("change", (event) => {
  if (event.target.matches("form[data-booking] [name=slot]")) say(event.target);
});

/* Where the panel was opened beside the calendar, closing it gives the calendar its room and the focus back. */
let opener;
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[hx-target='#beside']");
  if (link) opener = link;
  const close = event.target.closest("[data-close-panel]");
  if (!close || !opener) return;
  event.preventDefault();
  closePanel();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && opener && event.target.closest?.(".panel")) closePanel();
});
function closePanel() {
  document.querySelector("#beside").replaceChildren();
  draw(null);
  opener.focus();
  opener = null;
}

document.addEventListener("htmx:load", (event) => {
  const { target } = event;
  if (target.matches?.(".panel") && opener && !target.contains(document.activeElement)) {
    (target.querySelector("[autofocus]") ?? target).focus({ preventScroll: true });
  }
  // A service chosen before the scripts were there, or given back by the browser, asks for its times now.
  const service = target.querySelector?.("#b-service");
  if (service?.value && !service.selectedOptions[0].defaultSelected) service.dispatchEvent(new Event("change", { bubbles: true }));
  if (target.querySelector?.("[data-calendar], form[data-booking]") || target.matches?.("[data-calendar]")) draw(chosen());
  if (target.matches?.("[data-calendar]")) toNow(target);
});

// What is being booked was not drawn by the server.
document.addEventListener("hms:renewed", (event) => event.target.matches("[data-calendar]") && draw(chosen()));

/* The calendar opens where the day is now. */
function toNow(calendar) {
  const now = calendar?.querySelector(".now");
  if (now) calendar.scrollTop = Math.max(0, now.offsetTop - calendar.clientHeight / 3);
}
toNow(document.querySelector("[data-calendar]"));
draw(chosen());
