// Copies what a field shows. Without it, the field can be copied by hand.
"use strict";
document.querySelectorAll("[data-copies]").forEach((button) => {
  const field = document.getElementById(button.dataset.copies);
  field.addEventListener("focus", () => field.select());
  if (!navigator.clipboard) return; // only where the page came by https, or from this machine
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value.trim());
    button.textContent = button.dataset.done;
  });
});
