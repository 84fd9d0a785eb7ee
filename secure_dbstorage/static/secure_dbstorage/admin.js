// Copies a field's text, takes dropped files, and sends them to the chosen storage. Without this
// script, the text can be copied by hand, and files can be chosen.
"use strict";
const COPIED_MS = 3000;

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-copies]").forEach(offerToCopy);
  document.querySelectorAll("input[data-drop]").forEach(takeDrops);
  document.querySelectorAll("select:has([data-begin])").forEach(followStorage);
});

function offerToCopy(button) {
  const field = document.getElementById(button.dataset.copies);
  const label = button.textContent;
  let timer;
  field.addEventListener("focus", () => field.select());
  if (!navigator.clipboard) return; // needs https or localhost
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value.trim());
    button.textContent = button.dataset.done;
    clearTimeout(timer);
    timer = setTimeout(() => { button.textContent = label; }, COPIED_MS);
  });
}

function takeDrops(input) {
  const row = input.closest(".form-row");
  const sender = input.closest("dbstorage-upload"); // shows its files itself
  const hint = row.appendChild(document.createElement("p"));
  hint.className = "help";
  hint.textContent = input.dataset.drop;
  const names = row.appendChild(document.createElement("ul"));
  names.className = "chosen";
  row.classList.add("drop");
  input.addEventListener("change", show);

  // Anywhere on the page: a file that misses its target would open, and the form be lost.
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    row.classList.add("is-over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) row.classList.remove("is-over");
  });
  document.addEventListener("drop", (event) => {
    row.classList.remove("is-over");
    if (!event.dataTransfer.types.includes("Files") || event.defaultPrevented) return;
    event.preventDefault();
    const files = withoutDirectories(event.dataTransfer);
    if (sender) return sender.take([...files]);
    input.files = files;
    show();
  });

  function show() {
    if (sender) return;
    names.replaceChildren(...[...input.files].map((file) => {
      const item = document.createElement("li");
      item.textContent = file.name;
      return item;
    }));
  }
}

// The files that are sent while the form is filled in go to the storage that is chosen.
function followStorage(select) {
  const sender = select.form.querySelector("dbstorage-upload");
  const follow = () => {
    const { begin, maxSize, tooLarge } = select.selectedOptions[0].dataset;
    const [there, here] = [begin, sender.dataset.begin].map((link) => link.split("?")[0]);
    if (there !== here) sender.redirect({ begin, maxSize, tooLarge });
  };
  select.addEventListener("change", follow);
  addEventListener("pageshow", follow); // A browser remembers the choice when it comes back.
}

// A directory can't be sent, and the whole form would fail with it.
function withoutDirectories(dropped) {
  const kept = new DataTransfer();
  for (const item of dropped.items) {
    if (item.kind === "file" && !item.webkitGetAsEntry()?.isDirectory) kept.items.add(item.getAsFile());
  }
  return kept.files;
}
