/* The search box of the top bar: answers while typing, by keyboard alone, and never out of order. */

const PAUSE = 120; // ms
const PATIENCE = 30_000; // ms

export function start(form) {
  const input = form.querySelector("input[type=search]");
  const list = form.querySelector("[role=listbox]");
  const status = form.querySelector("[role=status]");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const words = document.querySelector("#words").dataset;
  const action = form.action;
  let timer, asking;

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-autocomplete", "list");
  show(false);

  const options = () => [...list.querySelectorAll("[role=option]")];
  const chosen = () => list.querySelector("[aria-selected=true]");

  function show(open) {
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    if (!open) input.removeAttribute("aria-activedescendant");
  }

  function choose(option) {
    chosen()?.setAttribute("aria-selected", "false");
    if (!option) return input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  async function ask() {
    asking?.abort(); // a stale answer never overwrites a newer one
    const text = input.value.trim();
    if (!text) return show(false);
    const own = (asking = new AbortController());
    const limit = setTimeout(() => own.abort("slow"), PATIENCE);
    try {
      const answer = await fetch(form.dataset.search, {
        method: "POST",
        body: new URLSearchParams({ text }),
        headers: { "X-CSRFToken": token, "HX-Request": "true" },
        signal: own.signal,
        redirect: "manual",
      });
      if (answer.type === "opaqueredirect") return failed(text, words.signedOut);
      if (!answer.ok) throw new Error(answer.status);
      list.innerHTML = await answer.text();
      list.dataset.answers = text;
      status.textContent = list.firstElementChild?.dataset.count ?? "";
      choose(options()[0]);
      show(true);
    } catch (error) {
      if (own.signal.aborted && own.signal.reason !== "slow") return;
      failed(text, own.signal.aborted ? words.slow : words.offline);
    } finally {
      clearTimeout(limit);
    }
  }

  function failed(text, why) {
    list.dataset.answers = text;
    const row = document.createElement("div");
    row.setAttribute("role", "option");
    row.id = "q-retry";
    row.dataset.retry = "yes";
    row.textContent = `${why} ${document.querySelector("#trouble").content.querySelector("[data-retry]").textContent}`;
    list.replaceChildren(row);
    status.textContent = why;
    choose(row);
    show(true);
  }

  function go(option) {
    if (option.dataset.retry) return ask();
    if (option.dataset.post) {
      form.action = option.dataset.post; // what was typed goes along in the body, never in an address
      form.submit();
      form.action = action; // for whoever comes back to this page
      return;
    }
    location.assign(option.dataset.href);
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    const all = options();
    const at = all.indexOf(chosen());
    if (event.key === "Escape") {
      event.preventDefault();
      if (list.hidden) input.value = "";
      asking?.abort();
      show(false);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) return ask();
      choose(all.at((at + (event.key === "ArrowDown" ? 1 : -1)) % all.length));
    } else if (event.key === "Enter" && !list.hidden && at >= 0) {
      if (list.dataset.answers !== input.value.trim()) return; // these are hits of an older text: the form asks for all of the new one
      event.preventDefault();
      go(all[at]);
    }
  });
  input.addEventListener("focus", () => input.value.trim() && ask());
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) go(option);
  });
  form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || show(false));
  if (input.value.trim()) ask();
}
