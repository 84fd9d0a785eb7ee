// Sends files while their form is filled in, in pieces by tus 1.0.0, and continues after any
// interruption. Without this script, the form sends them.
"use strict";
if (!customElements.get("dbstorage-upload")) {
  const LEAST = 1024 ** 2; // bytes of a piece: passes nginx as it comes
  const MOST = 4 * LEAST;
  const AT_ONCE = 3; // uploads; a browser has few connections, and the page needs some
  const MEMORY = "dbstorage-upload:";
  const GONE = [403, 404, 410];
  const BUSY = [408, 423, 429]; // as any 5xx: it may pass

  class Later extends Error { // try again, after the seconds that the server asks for, if any
    constructor(seconds) { super(); this.seconds = seconds; }
  }
  class Refusal extends Error {} // for good, with a text for people

  const waiting = [];
  let free = AT_ONCE;
  const begin = async () => (free > 0 ? free-- : new Promise((resolve) => waiting.push(resolve)));
  const end = () => (waiting.length ? waiting.shift()() : free++);

  const pause = (seconds, signal) => new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000);
    addEventListener("online", resolve, { once: true });
    signal.addEventListener("abort", resolve);
  });

  // A directory can't be sent.
  const dropped = ({ items }) => [...items]
    .filter((item) => item.kind === "file" && !item.webkitGetAsEntry()?.isDirectory)
    .map((item) => item.getAsFile());

  // Shows what would turn the direction of writing, as the server does.
  const visible = (name) => name.replace(/[\p{Cc}\p{Cf}]/gu,
    (char) => `\\u${char.codePointAt(0).toString(16).padStart(4, "0")}`);

  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

  const metadata = (name) => { // the server keeps 1 KiB; the end of a name has its type
    let [, stem, end] = /^(.*?)(\.[^.]{1,20})?$/s.exec(name);
    while (new TextEncoder().encode(stem).length > 600) stem = stem.slice(0, -1);
    return `filename ${base64(stem + (end ?? ""))}`;
  };

  // Remembers the upload of a file, for somebody who comes back. A browser may forbid it.
  const memory = {
    recall(key) {
      try {
        for (const other of Object.keys(localStorage).filter((name) => name.startsWith(MEMORY))) {
          if (!(JSON.parse(localStorage[other]).ends > Date.now())) delete localStorage[other];
        }
        return key in localStorage ? JSON.parse(localStorage[key]).url : null;
      } catch { return null; }
    },
    keep(key, url, ends) {
      try { localStorage[key] = JSON.stringify({ url, ends: Date.parse(ends) }); } catch {}
    },
    forget(key) {
      try { delete localStorage[key]; } catch {}
    },
  };

  class Upload {
    constructor(element, file, row) {
      Object.assign(this, { element, file, row, url: null, length: LEAST, most: MOST, state: "" });
      this.name = visible(file.name);
      const place = [location.pathname, element.input.name, element.dataset.begin.split("?")[0]];
      this.key = MEMORY + JSON.stringify([...place, file.name, file.size, file.lastModified]);
    }

    start() {
      this.stopper = new AbortController();
      this.state = "busy";
      this.element.show(this, { text: "waiting", does: "pause" });
      this.settled = this.run(this.stopper.signal);
    }

    stop(state) {
      this.state = state;
      this.stopper?.abort();
    }

    async run(signal) {
      await begin();
      try {
        for (let tries = 0; !signal.aborted; tries += 1) {
          try {
            await this.send(signal, () => { tries = 0; });
            this.state = "done";
            this.element.done(this);
          } catch (error) {
            if (signal.aborted) return;
            if (error instanceof Later) {
              this.element.show(this, { text: "interrupted", does: "pause" });
              await pause(error.seconds || Math.min(2 ** tries, 30), signal);
              continue;
            }
            this.state = "failed";
            const isFinal = error instanceof Refusal;
            const does = isFinal ? null : "retry";
            this.element.show(this, { text: "failed", said: isFinal && error.message, does });
          }
          return;
        }
      } finally { end(); }
    }

    async send(signal, moved) {
      let offset = await this.offset(signal);
      this.element.progress(this, offset);
      while (offset < this.file.size) {
        const body = await this.piece(offset), began = performance.now();
        const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": offset };
        const answer = await this.ask(signal, "PATCH", this.url, headers, body);
        if (answer.ok) {
          offset = Number(answer.headers.get("Upload-Offset"));
          this.length = performance.now() - began < 1000 ? Math.min(2 * this.length, this.most) : LEAST;
          moved();
        } else if (answer.status === 413 && this.length > LEAST) {
          this.length = this.most = LEAST; // a proxy takes no more
        } else if (answer.status === 409 || GONE.includes(answer.status)) {
          throw new Later(); // ask where to continue
        } else throw await this.refusal(answer);
        this.element.progress(this, offset);
      }
    }

    async offset(signal) { // bytes that the server has
      this.url ??= memory.recall(this.key);
      if (this.url) {
        const answer = await this.ask(signal, "HEAD", this.url);
        const ends = answer.headers.get("Upload-Expires"); // none once a form has taken it
        if (answer.ok && ends) {
          memory.keep(this.key, this.url, ends);
          return Number(answer.headers.get("Upload-Offset"));
        }
      }
      memory.forget(this.key);
      this.url = null;
      const headers = { "Upload-Length": this.file.size, "Upload-Metadata": metadata(this.file.name) };
      const answer = await this.ask(signal, "POST", this.element.dataset.begin, headers);
      if (!answer.ok) throw await this.refusal(answer);
      this.url = answer.headers.get("Location");
      memory.keep(this.key, this.url, answer.headers.get("Upload-Expires"));
      return 0;
    }

    async piece(offset) {
      try {
        return await this.file.slice(offset, offset + this.length).arrayBuffer();
      } catch { throw new Refusal(this.element.dataset.unreadable); }
    }

    async ask(stop, method, url, given, body) {
      let answer;
      const headers = { "Tus-Resumable": "1.0.0", Accept: "application/problem+json", ...given };
      const signal = AbortSignal.any([stop, AbortSignal.timeout(300_000)]);
      try {
        answer = await fetch(url, { method, body, headers, signal, cache: "no-store" });
      } catch { throw new Later(); }
      if (BUSY.includes(answer.status) || answer.status >= 500) {
        throw new Later(Number(answer.headers.get("Retry-After")));
      }
      return answer;
    }

    async refusal(answer) {
      if (GONE.includes(answer.status)) return new Refusal(this.element.dataset.stale);
      const problem = await answer.json().catch(() => ({}));
      return new Refusal(problem.detail ?? "");
    }

    forget() {
      memory.forget(this.key);
      const headers = { "Tus-Resumable": "1.0.0" };
      if (this.url) fetch(this.url, { method: "DELETE", headers, keepalive: true }).catch(() => {});
    }
  }

  customElements.define("dbstorage-upload", class extends HTMLElement {
    uploads = new Map(); // by row

    constructor() {
      super();
      this.addEventListener("change", (event) => {
        if (event.target !== this.input || !this.input.files.length) return;
        this.take([...this.input.files]);
        this.input.value = ""; // or the form would send them again
      });
      this.addEventListener("click", (event) => {
        const button = event.target.closest("button[data-does]");
        if (button) this[button.dataset.does](button.closest(".dbstorage-file"));
      });
      for (const type of ["dragover", "dragleave", "drop"]) {
        this.addEventListener(type, (event) => {
          if (!event.dataTransfer?.types.includes("Files") || this.input.matches(":disabled")) return;
          event.preventDefault();
          this.toggleAttribute("data-over", type === "dragover");
          if (type === "drop") this.take(dropped(event.dataTransfer));
        });
      }
    }

    disconnectedCallback() {
      queueMicrotask(() => this.isConnected || this.uploads.forEach((upload) => upload.stop("paused")));
    }

    get input() { return this.querySelector("input[type=file]"); }

    get rows() { return [...this.querySelectorAll(".dbstorage-file")]; }

    take(files) {
      if (!this.input.multiple) {
        files = files.slice(-1);
        this.rows.forEach((row) => this.remove(row));
      }
      for (const file of files) {
        const row = this.querySelector("template").content.firstElementChild.cloneNode(true);
        const upload = new Upload(this, file, row);
        if ([...this.uploads.values()].some((other) => other.key === upload.key)) continue;
        this.uploads.set(row, upload);
        row.querySelector(".dbstorage-name").textContent = upload.name;
        row.querySelector("progress").ariaLabel = upload.name;
        this.label(row, "remove");
        this.querySelector(".dbstorage-files").append(row);
        this.input.required = false; // the server demands it
        if (file.size > Number(this.dataset.maxSize)) {
          upload.state = "failed";
          this.show(upload, { text: "failed", said: this.dataset.tooLarge });
        } else upload.start();
      }
    }

    // Send all files again, to where another link leads.
    redirect(data) {
      const files = [...this.uploads.values()].map(({ file }) => file);
      this.rows.forEach((row) => this.remove(row));
      Object.assign(this.dataset, data);
      this.take(files);
    }

    pause(row) {
      this.uploads.get(row).stop("paused");
      this.show(this.uploads.get(row), { text: "paused", does: "resume" });
    }

    resume(row) { this.uploads.get(row).start(); }

    retry(row) { this.resume(row); }

    remove(row) {
      const upload = this.uploads.get(row);
      upload?.stop("removed");
      upload?.forget();
      this.uploads.delete(row);
      const hadFocus = row.contains(document.activeElement);
      this.say(row.querySelector(".dbstorage-name").textContent, this.dataset.removed);
      row.remove();
      if (hadFocus) this.input.focus();
    }

    done(upload) {
      if ([...this.querySelectorAll("input[type=hidden]")].some(({ value }) => value === upload.url)) {
        this.uploads.delete(upload.row); // The page shows it already: it was chosen twice.
        upload.row.remove();
        return;
      }
      const hidden = document.createElement("input");
      Object.assign(hidden, { type: "hidden", name: `${this.input.name}-upload`, value: upload.url });
      upload.row.append(hidden);
      upload.row.querySelector("progress").remove();
      this.show(upload, { text: "done" });
    }

    progress(upload, offset) {
      const share = upload.file.size ? offset / upload.file.size : 1;
      const language = document.documentElement.lang || undefined;
      const percent = new Intl.NumberFormat(language, { style: "percent" }).format(share);
      upload.row.querySelector("progress").value = share;
      upload.row.querySelector(".dbstorage-state").textContent = percent;
    }

    // Show the state of an upload, and offer to pause, resume or retry it, or nothing.
    show({ row, name, state }, { text, said, does }) {
      const shown = row.querySelector(".dbstorage-state");
      shown.textContent = said || this.dataset[text];
      shown.classList.toggle("dbstorage-failed", state === "failed");
      row.querySelector("[data-does]:not([data-does=remove])").hidden = !does;
      if (does) this.label(row, does);
      this.say(name, shown.textContent);
    }

    label(row, does) {
      const button = row.querySelector(does === "remove" ? "[data-does=remove]" : "[data-does]");
      button.dataset.does = does;
      button.textContent = this.dataset[does];
      button.ariaLabel = `${this.dataset[does]}: ${row.querySelector(".dbstorage-name").textContent}`;
    }

    hold(holds) {
      this.toggleAttribute("data-holds", holds);
      if (holds) this.say("", this.dataset.held);
    }

    say(name, text) { this.querySelector("[role=status]").textContent = name ? `${name}: ${text}` : text; }
  });

  const held = new WeakSet();
  const open = (form) => [...document.querySelectorAll("dbstorage-upload")]
    .filter((element) => element.input?.form === form)
    .flatMap((element) => [...element.uploads.values()])
    .filter((upload) => ["busy", "paused"].includes(upload.state));

  // A form waits for its uploads. The document listens, so that no other script sends it first.
  document.addEventListener("submit", async (event) => {
    const form = event.target, submitter = event.submitter, uploads = open(form);
    if (!uploads.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (held.has(form)) return;
    held.add(form);
    for (const upload of uploads) {
      if (upload.state === "paused") upload.start();
      upload.element.hold(true);
    }
    await Promise.all(uploads.map((upload) => upload.settled));
    held.delete(form);
    for (const upload of uploads) upload.element.hold(false);
    if (uploads.every((upload) => upload.state === "done")) form.requestSubmit(submitter);
  }, true);
}
