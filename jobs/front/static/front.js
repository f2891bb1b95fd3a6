// The pages work without this, except that files cannot be sent; it sends files and renews a job's progress.
"use strict";

const SENT_AT_ONCE = 3;
const STALLED_SECONDS = 60;
const WAITS_SECONDS = [1, 2, 5, 10, 20];

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

const state = document.getElementById("state");
if (state && state.dataset.ended === "0") {
  (async () => {
    for (;;) {
      await pause(2);
      if (document.hidden) continue;
      const answer = await fetch("state").catch(() => null);
      if (!answer || !answer.ok) continue;
      const focus = state.contains(document.activeElement) && document.activeElement.textContent;
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      state.replaceChildren(...made.body.childNodes);
      if (focus) [...state.querySelectorAll("a, button")].find((one) => one.textContent === focus)?.focus();
      if (state.querySelector("[data-ended]").dataset.ended === "1") return;
    }
  })();
}

const form = document.getElementById("new");
if (form) {
  const rows = document.getElementById("sending");
  const said = document.getElementById("sent");
  const drop = document.getElementById("drop");
  const waiting = [];
  let sending = 0;
  let beginning;
  let sent = 0;
  let refused = 0;

  const begin = async () => {
    if (form.dataset.upload) return;
    const answer = await fetch("/uploads", { method: "POST" });
    if (!answer.ok) throw new Error((await answer.json()).error);
    form.dataset.upload = form.elements.upload.value = (await answer.json()).upload;
    history.replaceState(null, "", `/new?upload=${form.dataset.upload}`);
  };

  // A file that breaks off is asked for and continued; what is refused for a reason is not tried again.
  const send = async (file, kind, bar) => {
    const query = `length=${file.size}&version=${file.lastModified}`;
    const address = `/uploads/${form.dataset.upload}/${kind}/${encodeURIComponent(file.name)}?${query}`;
    for (let tried = 0; ; tried++) {
      try {
        const answer = await fetch(address, { cache: "no-store" });
        const there = await answer.json();
        if (!answer.ok) return `${there.error} ${there.next_step}`;
        if (there.offset === file.size && file.size) return "";
        const status = await sendRest(file, there.offset, address, bar);
        if (status.ok) return "";
        if (status.refused) return status.refused;
      } catch {
        // The server does not answer: the next try asks it again.
      }
      await pause(WAITS_SECONDS[Math.min(tried, WAITS_SECONDS.length - 1)]);
    }
  };

  const sendRest = (file, offset, address, bar) =>
    new Promise((done) => {
      const request = new XMLHttpRequest();
      request.open("PATCH", address);
      request.setRequestHeader("Upload-Offset", offset);
      request.responseType = "json";
      let stalled;
      const watch = () => {
        clearTimeout(stalled);
        stalled = setTimeout(() => request.abort(), 1000 * STALLED_SECONDS);
      };
      request.onloadstart = watch;
      request.onloadend = () => clearTimeout(stalled);
      request.upload.onprogress = (event) => {
        watch();
        bar.value = (offset + event.loaded) / (file.size || 1);
      };
      request.onload = () => {
        const broken = [409, 423].includes(request.status) && request.response?.offset !== undefined;
        if (request.status === 200) done({ ok: true });
        else if (broken || request.status === 423 || request.status === 400) done({});
        else done({ refused: `${request.response?.error ?? "The server failed."} ${request.response?.next_step ?? ""}` });
      };
      request.onerror = request.onabort = () => done({});
      request.send(file.slice(offset));
    });

  const count = () => {
    const left = waiting.length + sending;
    const files = (number) => `${number} ${number === 1 ? "file" : "files"}`;
    said.textContent =
      (left ? `${files(left)} left to send. ` : "") + `${files(sent)} sent` + (refused ? `, ${refused} refused.` : ".");
    document.getElementById("go").disabled = left > 0;
  };

  const work = async () => {
    while (waiting.length && sending < SENT_AT_ONCE) {
      const { file, kind, row } = waiting.shift();
      sending++;
      (async () => {
        const bar = row.querySelector("progress");
        let why;
        try {
          await (beginning ??= begin());
          why = await send(file, kind, bar);
        } catch (error) {
          beginning = undefined;
          why = error.message;
        }
        bar.remove();
        row.append(Object.assign(document.createElement("span"), { textContent: why || "sent" }));
        row.className = why ? "bad" : "";
        if (why) refused++;
        else sent++;
        if (!why && kind === "template" && file.name.endsWith(".toml")) offer(file.name);
        sending--;
        count();
        work();
      })();
    }
  };

  const offer = (name) => {
    form.elements.template.add(new Option(`${name} (sent)`, `upload:${name}`, true, true));
    form.elements.written.value = "template";
  };

  const add = (files, kind) => {
    for (const file of files) {
      const row = document.createElement("li");
      const bar = document.createElement("progress");
      bar.setAttribute("aria-label", `Sending ${file.name}`);
      bar.value = 0;
      row.append(Object.assign(document.createElement("span"), { textContent: file.name }), bar);
      rows.append(row);
      waiting.push({ file, kind, row });
    }
    count();
    work();
  };

  const chosen = document.getElementById("files");
  chosen.addEventListener("change", () => { add(chosen.files, "scans"); chosen.value = ""; });
  const templates = document.getElementById("templates");
  templates.addEventListener("change", () => { add(templates.files, "template"); templates.value = ""; });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
    });
  }
  addEventListener("drop", (event) => add(event.dataTransfer.files, "scans"));
  addEventListener("beforeunload", (event) => { if (waiting.length + sending) event.preventDefault(); });
}
