/* Something went wrong on the way: say so, offer to try again. */
export function trouble(text, retry) {
  const template = document.querySelector("#trouble");
  if (!template) return;
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.querySelector("[data-text]").textContent = text;
  const button = toast.querySelector("[data-retry]");
  if (retry) button.addEventListener("click", () => (toast.remove(), retry()));
  else button.remove();
  document.querySelector("#toasts").replaceChildren(toast);
}
