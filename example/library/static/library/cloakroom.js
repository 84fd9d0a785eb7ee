/* Upload progress, tickets that count down, and copying. Every form also works without this script. */

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) {
    event.preventDefault();
  } else if (form.matches("[data-upload]")) {
    event.preventDefault();
    upload(form);
  } else if (form.matches("[data-ticket]")) {
    event.preventDefault();
    makeTicket(form, event.submitter);
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button.closest(".ticket"));
});

document.addEventListener("input", (event) => {
  if (event.target.form?.matches("[data-upload]")) forget(event.target.form);
});

document.querySelectorAll("article.ticket").forEach(start);

/* Uploads use XMLHttpRequest, because fetch doesn't report how much has been sent. */

function upload(form) {
  const progress = form.querySelector("progress");
  const text = form.querySelector(".progress-text");
  const button = form.querySelector("button");
  const request = new XMLHttpRequest();
  const fail = (reason) => {
    text.textContent = reason;
    progress.hidden = true;
    button.disabled = false;
  };

  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    progress.value = (100 * event.loaded) / event.total;
    text.textContent = `${Math.round(progress.value)} % of ${size(event.total)}`;
  });
  request.upload.addEventListener("load", () => {
    progress.value = 100;
    text.textContent = "Uploaded. Saving…";
  });
  request.addEventListener("load", () => {
    if (request.status >= 500) fail("The server could not save the file. Try again.");
    else if (request.status === 413) fail("This file is too large for the server.");
    else refresh(request, form);
  });
  request.addEventListener("error", () => fail("The connection was lost. Try again."));

  document.querySelectorAll("[data-upload]").forEach(forget);
  progress.value = 0;
  progress.hidden = false;
  button.disabled = true;
  request.open("POST", form.action);
  request.send(new FormData(form));
}

/* What was wrong the last time. */
function forget(form) {
  form.querySelectorAll(".error").forEach((error) => error.remove());
  form.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
  form.querySelector(".progress-text").textContent = "";
}

/* The response is the whole page. Replace only the parts that changed, so that a film keeps playing. */
function refresh(request, form) {
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  const parts = ["#messages", ...form.dataset.upload.split(", ")];
  if (!parts.every((part) => page.querySelector(part))) return location.reload();
  for (const part of parts) {
    const [old, fresh] = [document.querySelector(part), page.querySelector(part)];
    if (old.isEqualNode(fresh)) continue;
    old.hidden = fresh.hidden;
    old.replaceChildren(...fresh.childNodes); // keep the element itself: screen readers watch #messages
  }
  document.querySelector(`${parts[1]} .drop`).focus({ preventScroll: true });
  (document.querySelector(".error") ?? document.querySelector("#messages")).scrollIntoView({ block: "nearest" });
}

function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  const unit = Math.min(3, Math.floor(Math.log(bytes) / Math.log(1024)));
  return `${(bytes / 1024 ** unit).toFixed(unit > 1 ? 1 : 0)} ${units[unit]}`;
}

/* Tickets */

async function makeTicket(form, button) {
  const tickets = form.parentElement.querySelector(".tickets");
  const response = await fetch(form.action, { method: "POST", body: new FormData(form, button) });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const ticket = page.querySelector("article.ticket");
  if (!ticket) return location.reload();
  tickets.replaceChildren(ticket);
  start(ticket);
  copy(ticket);
  ticket.scrollIntoView({ block: "nearest" });
}

function start(ticket) {
  const seconds = Number(ticket.dataset.seconds);
  const end = Date.now() + seconds * 1000;
  const timer = setInterval(tick, 200);
  ticket.querySelector("[data-copy]").hidden = false;
  tick();

  function tick() {
    const left = Math.max(0, end - Date.now()) / 1000;
    ticket.querySelector(".left").textContent = clock(Math.ceil(left));
    ticket.style.setProperty("--left", left / seconds);
    if (left > 0) return;
    clearInterval(timer);
    ticket.classList.add("is-expired");
    ticket.querySelector(".stamp").textContent = "Expired";
    ticket.querySelector("a").textContent = "Open it anyway";
  }
}

function clock(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

const COPIED_MS = 3000;
const timers = new WeakMap();

async function copy(ticket) {
  const button = ticket.querySelector("[data-copy]");
  const link = ticket.querySelector(".link");
  try {
    await navigator.clipboard.writeText(link.value);
  } catch {
    link.select(); // Without permission or https, the keyboard can still copy it.
    return;
  }
  button.textContent = "Copied";
  clearTimeout(timers.get(button));
  timers.set(button, setTimeout(() => { button.textContent = "Copy"; }, COPIED_MS));
}
