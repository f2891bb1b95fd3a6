// The pages work without this; it adds keys, and keeps a form from being sent twice or to nobody.
"use strict";

const sheet = document.getElementById("sheet");
const single = document.getElementById("single");
const fields = document.getElementById("fields");
const undo = document.getElementById("undo");
const script = document.currentScript.src;

for (const form of document.forms) {
  form.addEventListener("submit", async (event) => {
    if (form.dataset.state === "answered") {
      form.dataset.state = "sent";
      return;
    }
    event.preventDefault();
    if (form.dataset.state) return;
    form.dataset.state = "asking";
    // Sent to a server that is gone, the form and its marks would make way for the browser's own page.
    const lost = document.getElementById("lost");
    lost.hidden = await fetch(script, { cache: "no-store" }).then(() => true, () => false);
    form.dataset.state = lost.hidden ? "answered" : "";
    if (lost.hidden) form.requestSubmit(event.submitter);
  });
}
// A page that comes back from the browser's memory may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.state;
});

addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z" && undo) {
    const box = document.activeElement;
    // What is being typed into a field is undone there, by the browser.
    if (fields && box.type === "text" && box.value !== box.defaultValue) return;
    event.preventDefault();
    undo.requestSubmit();
  }
});

if (sheet) {
  const boxes = [...sheet.querySelectorAll(".tile input")];
  const columns = () => boxes.filter((box) => box.closest("label").offsetTop === boxes[0].closest("label").offsetTop).length;
  sheet.addEventListener("keydown", (event) => {
    const here = boxes.indexOf(document.activeElement);
    if (here < 0) return;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() };
    const next = { Home: boxes[0], End: boxes.at(-1) }[event.key] || boxes[here + steps[event.key]];
    if (event.key in steps || event.key === "Home" || event.key === "End") event.preventDefault();
    if (next) next.focus();
    if (event.key === "Enter") {
      event.preventDefault();
      sheet.requestSubmit(sheet.querySelector(".main"));
    }
    if (event.key === "#") mark(boxes[here], boxes[here].value.endsWith("-none") ? "" : "no letter");
  });
  // A click marks a letter wrong, the next one as no letter, the third one takes the mark away.
  const mark = (box, as) => {
    box.checked = as !== "";
    box.value = box.value.split("-")[0] + (as === "no letter" ? "-none" : "");
    box.closest("label").querySelector(".mark").textContent = as || "wrong";
    box.ariaLabel = box.ariaLabel.replace(/is (wrong|no letter):/, `is ${as || "wrong"}:`);
  };
  for (const box of boxes) {
    box.addEventListener("change", () => {
      const was = box.checked ? "" : box.value.endsWith("-none") ? "no letter" : "wrong";
      mark(box, { "": "wrong", wrong: "no letter", "no letter": "" }[was]);
    });
  }
}

if (single) {
  const typed = document.getElementById("typed");
  const choices = [...single.querySelectorAll(".choice")];
  const press = (button) => single.requestSubmit(button);
  const take = () => {
    const char = typed.value.toUpperCase();
    if (char === "#") press(document.getElementById("none"));
    else if (char === " ") press(document.getElementById("skip"));
    else if (single.dataset.digits === "0" && choices[char - 1]) press(choices[char - 1]);
    else if (char && single.dataset.characters.includes(char)) press(single.querySelector("button[value=typed]"));
  };
  typed.addEventListener("input", take);
  take(); // Somebody may type faster than this was loaded.
}

if (fields) {
  const page = document.getElementById("page");
  fields.addEventListener("focusin", (event) => {
    const row = event.target.closest(".field");
    if (!row || event.target.type !== "text") return;
    event.target.select();
    const picture = row.querySelector("img").getAttribute("src").replace("/picture/field/", "/picture/form/");
    if (page.getAttribute("src") !== picture) page.src = picture;
  });
  fields.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.type !== "text") return;
    event.preventDefault();
    fields.requestSubmit(event.ctrlKey || event.metaKey ? document.getElementById("all") : event.target.closest(".field").querySelector("button"));
  });
  if (document.activeElement.type === "text") document.activeElement.select();
}
