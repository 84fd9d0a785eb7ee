// Copies what a field shows. Without it, the field can be copied by hand.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-copies]")) {
    const field = document.getElementById(button.dataset.copies);
    field.addEventListener("focus", () => field.select());
    if (!navigator.clipboard) continue; // only where the page came by https, or from this machine
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(field.value.trim());
      button.textContent = button.dataset.done;
    });
  }
});
