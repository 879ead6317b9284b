/* A form with a file: says at once when the file is too large, and how much of it has been sent. The page works without this. */

const find = (form, name) => form.querySelector(`[data-upload-${name}]`);

function fits(form) {
  const file = form.querySelector("input[type=file]").files[0];
  const tooLarge = Boolean(file) && file.size > Number(form.dataset.most);
  find(form, "error").textContent = tooLarge ? form.dataset.tooLarge : "";
  return !tooLarge;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("form[data-upload] input[type=file]")) fits(event.target.form);
});

document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.detail.elt;
  if (!form.matches("form[data-upload]")) return;
  if (!fits(form)) {
    event.preventDefault();
    delete form.dataset.sending;
    form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
    form.querySelector("input[type=file]").focus();
    return;
  }
  find(form, "progress").value = 0;
  find(form, "progress").hidden = false;
});

document.addEventListener("htmx:xhr:progress", (event) => {
  const { elt, lengthComputable, loaded, total } = event.detail;
  if (lengthComputable && elt.matches?.("form[data-upload]")) find(elt, "progress").value = (100 * loaded) / total;
});

document.addEventListener("htmx:afterRequest", (event) => {
  const bar = event.detail.elt.querySelector?.("[data-upload-progress]");
  if (bar && !event.detail.successful) bar.hidden = true;
});
