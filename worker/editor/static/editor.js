// The template is `now`; each change is a new one, and `past` and `future` hold the others for undo and redo.
"use strict";

const NEAR_PIXELS = 6; // A shorter drag is a click.
const LEAST_SIDE = 8;
const TYPED = "input[type=text], input[type=number], textarea";
const byId = (id) => document.getElementById(id);
const drawing = byId("drawing");
const sheet = byId("sheet");
const copy = (value) => JSON.parse(JSON.stringify(value));

let form; // What the server sent: kinds, width, height, digest, sheets.
let now;
let past = [];
let future = [];
let saved = "";
let chosen = []; // Numbers of fields, the last chosen one at the end.
let wrong = null; // {field, key, what} of the last refused save or try.
let zoom = 1;

// --- talk with the server --------------------------------------------------------------------------

async function ask(address, body) {
  let answer;
  try {
    answer = await fetch(address, body === undefined ? {} : { method: "POST", body });
  } catch {
    return { what: "lettermill template edit does not answer: nothing was saved.", next_step: "If it has ended, start it again in its terminal and open the new address. This page keeps what you changed as long as it stays open.", isProblem: true };
  }
  const isJson = (answer.headers.get("Content-Type") || "").includes("json");
  const said = isJson ? await answer.json() : { what: (await answer.text()) || `error ${answer.status}` };
  return answer.ok ? said : { ...said, isProblem: true };
}

function showProblem(said) {
  wrong = said && said.key ? said : null;
  const at = wrong && wrong.field !== null && now.fields[wrong.field] ? `${now.fields[wrong.field].name}: ` : "";
  byId("problem").textContent = said ? at + [said.what, said.next_step].filter(Boolean).join(". ") : "";
  byId("problem").hidden = !said;
  if (wrong && wrong.field !== null) chosen = [wrong.field];
  if (wrong) showTab("fields");
  if (wrong && wrong.key === "rules") document.querySelector("details").open = true;
  show();
}

// --- changes ---------------------------------------------------------------------------------------

function change(make) {
  const before = JSON.stringify(now);
  make(now);
  if (JSON.stringify(now) !== before) {
    past.push(before);
    future = [];
  }
  show();
}

function step(from, to) {
  if (!from.length) return;
  to.push(JSON.stringify(now));
  now = JSON.parse(from.pop());
  chosen = chosen.filter((number) => number < now.fields.length);
  wrong = null;
  show();
}

function freeName(wanted) {
  const taken = new Set(now.fields.map((field) => field.name.toLowerCase()));
  const stem = wanted.replace(/_\d+$/, "").slice(0, 35);
  for (let number = 1; ; number++) if (!taken.has(`${stem}_${number}`.toLowerCase())) return `${stem}_${number}`;
}

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));
const inside = ([x, y, width, height]) => {
  const w = clamp(width, LEAST_SIDE, form.width);
  const h = clamp(height, LEAST_SIDE, form.height);
  return [clamp(x, 0, form.width - w), clamp(y, 0, form.height - h), w, h];
};

function add(box) {
  change((template) => {
    template.fields.push({ name: freeName("field"), box: inside(box.map(Math.round)), alphabet: "alnum" });
    chosen = [template.fields.length - 1];
  });
}

function addInView() {
  const width = Math.min(form.width, sheet.clientWidth / zoom) / 4;
  const height = Math.max(LEAST_SIDE, width / 5);
  add([(sheet.scrollLeft + sheet.clientWidth / 2) / zoom - width / 2, (sheet.scrollTop + sheet.clientHeight / 2) / zoom - height / 2, width, height]);
  focusOn("drawing", chosen[0]);
}

function duplicate() {
  change((template) => {
    const copies = chosen.map((number) => {
      const field = copy(template.fields[number]);
      const [x, y, width, height] = field.box;
      const below = y + 2 * height <= form.height;
      field.name = freeName(field.name);
      field.box = inside([x, below ? y + height : y - height, width, height]);
      template.fields.push(field);
      return template.fields.length - 1;
    });
    chosen = copies;
  });
}

function split(across) {
  change((template) => {
    const number = chosen[0];
    const one = template.fields[number];
    const other = copy(one);
    const [x, y, width, height] = one.box;
    other.name = freeName(one.name);
    if (across) {
      const cells = one.comb > 1 ? Math.ceil(one.comb / 2) : 0;
      const left = cells ? Math.round((width * cells) / one.comb) : Math.floor(width / 2);
      one.box = [x, y, left, height];
      other.box = [x + left, y, width - left, height];
      if (cells) [one.comb, other.comb] = [cells, one.comb - cells];
    } else {
      const upper = Math.floor(height / 2);
      one.box = [x, y, width, upper];
      other.box = [x, y + upper, width, height - upper];
    }
    template.fields.splice(number + 1, 0, other);
    chosen = [number, number + 1];
  });
}

function join() {
  change((template) => {
    const numbers = [...chosen].sort((a, b) => a - b);
    const fields = numbers.map((number) => template.fields[number]);
    const left = Math.min(...fields.map((field) => field.box[0]));
    const top = Math.min(...fields.map((field) => field.box[1]));
    const right = Math.max(...fields.map((field) => field.box[0] + field.box[2]));
    const low = Math.max(...fields.map((field) => field.box[1] + field.box[3]));
    const first = fields[0];
    first.box = [left, top, right - left, low - top];
    const besides = fields.every((field) => field.comb && Math.abs(field.box[1] - first.box[1]) < field.box[3] / 2);
    if (besides) first.comb = fields.reduce((sum, field) => sum + field.comb, 0);
    else delete first.comb;
    template.fields = template.fields.filter((_, number) => number === numbers[0] || !numbers.includes(number));
    chosen = [numbers[0]];
  });
}

function remove() {
  const next = Math.min(...chosen);
  change((template) => {
    template.fields = template.fields.filter((_, number) => !chosen.includes(number));
    chosen = template.fields.length ? [Math.min(next, template.fields.length - 1)] : [];
  });
}

function reorder(by) {
  const number = chosen[0];
  if (chosen.length !== 1 || !now.fields[number + by]) return;
  change((template) => {
    const [field] = template.fields.splice(number, 1);
    template.fields.splice(number + by, 0, field);
    chosen = [number + by];
  });
}

function moveBy(x, y, resize) {
  change((template) => {
    for (const number of chosen) {
      const box = template.fields[number].box;
      template.fields[number].box = inside(resize ? [box[0], box[1], Math.min(box[2] + x, form.width - box[0]), Math.min(box[3] + y, form.height - box[1])] : [box[0] + x, box[1] + y, box[2], box[3]]);
    }
  });
}

// --- keys of the chosen field ----------------------------------------------------------------------

function setKey(number, key, value) {
  change((template) => {
    const field = template.fields[number];
    if (key === "kind") {
      const kept = new Set(["name", "kind", "box", ...form.kinds[value].map((one) => one.name)]);
      for (const name of Object.keys(field)) if (!kept.has(name)) delete field[name];
      if (value === "text") delete field.kind;
      else field.kind = value;
    } else if (value === "" || value === false || value === null || (Array.isArray(value) && !value.length)) {
      if (key !== "name") delete field[key];
    } else {
      if (key === "name" && /^\w+$/.test(field.name)) {
        const whole = new RegExp(`\\b${field.name}\\b`, "g");
        if (template.rules) template.rules = template.rules.map((rule) => rule.replace(whole, value));
      }
      field[key] = value;
    }
  });
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function control(key, value, id) {
  if (key.control === "check") return element("input", { id, type: "checkbox", checked: value === true });
  if (key.control === "choice") {
    const options = ["", ...key.options].filter((option) => option || key.default === null);
    const label = key.is_required ? "choose" : "none";
    return element("select", { id }, ...options.map((option) => element("option", { value: option, selected: option === (value ?? key.default ?? "") }, option || label)));
  }
  if (key.control === "number") {
    return element("input", { id, type: "number", min: key.least ?? "", max: key.most ?? "", value: value ?? "", placeholder: key.default ?? "" });
  }
  if (key.control === "pair") {
    const parts = [0, 1].map((place) => element("input", { id: place ? `${id}-2` : id, type: "number", value: value ? value[place] : "", placeholder: key.default[place], "aria-label": `${key.label}, ${place ? "last" : "first"}` }));
    return element("span", { className: "pair" }, ...parts);
  }
  if (key.control === "lines") return element("textarea", { id, rows: 3, spellcheck: false, value: (value || []).join("\n") });
  const made = element("input", { id, type: "text", value: value ?? "", placeholder: key.default ?? "", spellcheck: false, autocomplete: "off" });
  if (key.options.length) made.setAttribute("list", `${id}-options`);
  return made;
}

function valueOf(key, id) {
  const input = byId(id);
  if (key.control === "check") return input.checked;
  if (key.control === "number") return input.value === "" ? null : Number(input.value);
  if (key.control === "lines") return input.value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (key.control !== "pair") return input.value.trim();
  const pair = [input.value, byId(`${id}-2`).value];
  return pair.some((one) => one === "") && pair.every((one, place) => one === "" || Number(one) === key.default[place]) ? null : pair.map((one, place) => Number(one || key.default[place]));
}

function keyRow(number, key, value) {
  const id = `key-${key.name}`;
  const made = control(key, value, id);
  const row = element("div", {}, element("label", { htmlFor: id }, key.label), made);
  if (key.control === "text" && key.options.length) row.append(element("datalist", { id: `${id}-options` }, ...key.options.map((option) => element("option", { value: option }))));
  row.addEventListener("change", () => setKey(number, key.name, valueOf(key, id)));
  if (wrong && wrong.field === number && wrong.key === key.name) row.append(...errorAt(made, id));
  return row;
}

function errorAt(input, id) {
  const target = input.matches("input, select, textarea") ? input : input.querySelector("input");
  target.setAttribute("aria-invalid", "true");
  target.setAttribute("aria-describedby", `${id}-error`);
  return [element("p", { className: "error", id: `${id}-error` }, wrong.what)];
}

function showKeys() {
  const keys = byId("keys");
  const shown = JSON.stringify([chosen, chosen.length === 1 && now.fields[chosen[0]].kind, wrong]);
  const isSame = keys.dataset.shown === shown;
  keys.dataset.shown = shown;
  const focus = document.activeElement && keys.contains(document.activeElement) ? document.activeElement.id : "";
  const place = keys.scrollTop;
  if (chosen.length !== 1) {
    const said = chosen.length ? `${chosen.length} fields are chosen.` : "No field is chosen.";
    keys.replaceChildren(element("p", {}, said));
    return;
  }
  const number = chosen[0];
  const field = now.fields[number];
  const kind = field.kind || "text";
  const text = { control: "text", options: [], default: null };
  const rows = [
    keyRow(number, { ...text, name: "name", label: "Name" }, field.name),
    keyRow(number, { name: "kind", label: "Kind", control: "choice", options: Object.keys(form.kinds), default: "text" }, kind),
    ...form.kinds[kind].map((key) => keyRow(number, key, field[key.name])),
    element("p", { id: "place" }, `${field.box[2]} × ${field.box[3]} pixels at ${field.box[0]}, ${field.box[1]}`),
  ];
  if (wrong && wrong.field === number && !rows.some((row) => row.querySelector(".error"))) {
    rows.push(element("p", { className: "error" }, wrong.what));
  }
  if (isSame) {
    // The controls stay: somebody may be on the way from one to the next.
    byId("place").textContent = rows.map((row) => row.id === "place" ? row.textContent : "").join("");
    for (const made of rows.flatMap((row) => [...row.querySelectorAll("input, select, textarea")])) {
      const there = byId(made.id);
      if (there === document.activeElement && there.matches(TYPED)) continue;
      there.value = made.value;
      there.checked = made.checked;
    }
    return;
  }
  keys.replaceChildren(...rows);
  keys.scrollTop = place;
  if (focus && byId(focus)) byId(focus).focus();
}

// --- show ------------------------------------------------------------------------------------------

function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const described = (field) => [field.name, field.kind || "text", field.comb ? `comb of ${field.comb}` : "", field.required ? "required" : ""].filter(Boolean).join(", ");

function drawnField(field, number) {
  const [x, y, width, height] = field.box;
  const classes = ["field", field.comb ? "comb" : "", field.kind === "ignore" ? "ignore" : "", wrong && wrong.field === number ? "bad" : ""];
  const size = 13 / zoom;
  const made = svg("g", { class: classes.filter(Boolean).join(" "), tabindex: 0, role: "button", "aria-label": described(field), "aria-pressed": chosen.includes(number), "data-number": number });
  made.append(svg("rect", { x, y, width, height }));
  if (field.comb > 1) {
    const walls = Array.from({ length: field.comb - 1 }, (_, cell) => `M${x + ((cell + 1) * width) / field.comb} ${y}v${height}`);
    made.append(svg("path", { d: walls.join("") }));
  }
  made.append(svg("text", { x: x + 4 / zoom, y: y + height - 4 / zoom, "font-size": size, "stroke-width": size / 4, "aria-hidden": true }, field.name));
  return made;
}

const HANDLES = { nw: [0, 0], n: [0.5, 0], ne: [1, 0], e: [1, 0.5], se: [1, 1], s: [0.5, 1], sw: [0, 1], w: [0, 0.5] };

function showDrawing() {
  const focused = document.activeElement && drawing.contains(document.activeElement) ? document.activeElement.dataset.number : null;
  drawing.setAttribute("viewBox", `0 0 ${form.width} ${form.height}`);
  drawing.setAttribute("width", form.width * zoom);
  drawing.setAttribute("height", form.height * zoom);
  const picture = drawing.querySelector("image") || svg("image", { href: "/blank.png", width: form.width, height: form.height, "aria-hidden": true });
  const handles = svg("g", { "aria-hidden": true });
  if (chosen.length === 1) {
    const [x, y, width, height] = now.fields[chosen[0]].box;
    const side = 8 / zoom;
    for (const [name, [across, down]] of Object.entries(HANDLES)) {
      handles.append(svg("rect", { class: "handle", "data-handle": name, x: x + across * width - side / 2, y: y + down * height - side / 2, width: side, height: side }));
    }
    for (const handle of handles.children) handle.style.cursor = `${handle.dataset.handle}-resize`;
  }
  drawing.replaceChildren(picture, ...now.fields.map(drawnField), handles);
  if (focused !== null) focusOn("drawing", chosen.at(-1) ?? focused);
}

function focusOn(where, number) {
  const target = byId(where).querySelector(`[data-number="${number}"]`);
  if (target) target.focus({ preventScroll: where === "drawing" });
}

function showList() {
  const list = byId("list");
  const focused = document.activeElement && document.activeElement !== list && list.contains(document.activeElement);
  // The buttons stay where their number does: one of them may be under a finger.
  while (list.children.length > now.fields.length) list.lastChild.remove();
  now.fields.forEach((field, number) => {
    if (!list.children[number]) {
      const made = element("button", { type: "button" }, element("span"), element("span"));
      made.dataset.number = number;
      list.append(element("li", {}, made));
    }
    const button = list.children[number].firstChild;
    button.className = wrong && wrong.field === number ? "bad" : "";
    button.setAttribute("aria-pressed", chosen.includes(number));
    button.firstChild.textContent = field.name;
    button.lastChild.textContent = (field.kind || "text") + (field.comb ? ` · ${field.comb}` : "");
  });
  const current = list.querySelector(`[data-number="${chosen.at(-1)}"]`);
  if (current) current.scrollIntoView({ block: "nearest" });
  if (focused) focusOn("list", chosen.at(-1));
}

function show() {
  const one = chosen.length === 1;
  showDrawing();
  showList();
  showKeys();
  const rules = byId("rules");
  if (document.activeElement !== rules) rules.value = (now.rules || []).join("\n");
  const ruleIsWrong = Boolean(wrong) && wrong.key === "rules";
  rules.setAttribute("aria-invalid", ruleIsWrong);
  if (ruleIsWrong) rules.setAttribute("aria-describedby", "error-rules");
  byId("error-rules").hidden = !ruleIsWrong;
  byId("error-rules").textContent = ruleIsWrong ? wrong.what : "";
  byId("undo").disabled = !past.length;
  byId("redo").disabled = !future.length;
  for (const id of ["split-across", "split-down"]) byId(id).disabled = !one;
  byId("up").disabled = !one || chosen[0] === 0;
  byId("down").disabled = !one || chosen[0] === now.fields.length - 1;
  byId("join").disabled = chosen.length < 2;
  for (const id of ["duplicate", "delete"]) byId(id).disabled = !chosen.length;
  byId("state").textContent = isChanged() ? "Changes are not saved." : "All is saved.";
}

const isChanged = () => JSON.stringify(now) !== saved;

function choose(number, more) {
  if (more) chosen = chosen.includes(number) ? chosen.filter((one) => one !== number) : [...chosen, number];
  else chosen = [number];
  show();
}

function setZoom(to) {
  zoom = clamp(to, 0.05, 4);
  show();
}

const fitted = () => Math.max(0.05, (sheet.clientWidth - 18) / form.width);

// --- mouse -----------------------------------------------------------------------------------------

function place(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
  return [clamp(at.x, 0, form.width), clamp(at.y, 0, form.height)];
}

function dragged(box, handle, x, y) {
  if (!handle) return inside([box[0] + x, box[1] + y, box[2], box[3]]);
  let [left, top, right, low] = [box[0], box[1], box[0] + box[2], box[1] + box[3]];
  if (handle.includes("w")) left = clamp(left + x, 0, right - LEAST_SIDE);
  if (handle.includes("e")) right = clamp(right + x, left + LEAST_SIDE, form.width);
  if (handle.includes("n")) top = clamp(top + y, 0, low - LEAST_SIDE);
  if (handle.includes("s")) low = clamp(low + y, top + LEAST_SIDE, form.height);
  return [left, top, right - left, low - top];
}

drawing.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  event.preventDefault();
  settle();
  const start = place(event);
  const handle = event.target.dataset.handle || "";
  const over = event.target.closest(".field");
  if (over && !handle) {
    const number = Number(over.dataset.number);
    if (event.shiftKey || !chosen.includes(number)) choose(number, event.shiftKey);
    focusOn("drawing", number);
    if (event.shiftKey) return;
  }
  const before = JSON.stringify(now);
  const boxes = chosen.map((number) => now.fields[number].box);
  const drawn = svg("rect", { id: "drawn" });
  let isDrag = false;
  const follow = (move) => {
    const [x, y] = place(move);
    const far = Math.max(Math.abs(x - start[0]), Math.abs(y - start[1])) * zoom;
    isDrag = isDrag || far >= (over || handle ? 2 : NEAR_PIXELS);
    if (!isDrag) return;
    if (over || handle) {
      chosen.forEach((number, index) => {
        now.fields[number].box = dragged(boxes[index], handle, Math.round(x - start[0]), Math.round(y - start[1]));
      });
      showDrawing();
    } else {
      const box = { x: Math.min(x, start[0]), y: Math.min(y, start[1]), width: Math.abs(x - start[0]), height: Math.abs(y - start[1]) };
      for (const [key, value] of Object.entries(box)) drawn.setAttribute(key, value);
      drawing.append(drawn);
    }
  };
  const end = (last) => {
    removeEventListener("pointermove", follow);
    removeEventListener("pointerup", end);
    removeEventListener("pointercancel", end);
    drawn.remove();
    const [x, y] = place(last);
    if ((over || handle) && isDrag) {
      const after = copy(now);
      now = JSON.parse(before);
      change((template) => {
        template.fields = after.fields;
      });
    } else if (!over && !handle && isDrag && last.type === "pointerup") {
      add([Math.min(x, start[0]), Math.min(y, start[1]), Math.abs(x - start[0]), Math.abs(y - start[1])]);
      focusOn("drawing", chosen[0]);
    } else if (!over && !handle) {
      chosen = [];
      show();
    } else if (over && chosen.length > 1) {
      choose(Number(over.dataset.number), false);
    }
  };
  addEventListener("pointermove", follow);
  addEventListener("pointerup", end);
  addEventListener("pointercancel", end);
});

// --- keyboard --------------------------------------------------------------------------------------

function onField(event) {
  const number = Number(event.target.closest("[data-number]").dataset.number);
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === "Enter" || event.key === " ") choose(number, event.shiftKey);
  else if (event.key === "Delete" || event.key === "Backspace") {
    if (!chosen.includes(number)) chosen = [number];
    remove();
  } else if (event.key in steps && event.altKey) {
    if (!chosen.includes(number)) chosen = [number];
    reorder(event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0);
  } else if (event.key in steps) {
    if (!chosen.includes(number)) chosen = [number];
    const far = event.ctrlKey ? 10 : 1;
    moveBy(...steps[event.key].map((way) => way * far), event.shiftKey);
  } else return;
  event.preventDefault();
}

for (const where of [drawing, byId("list")]) {
  where.addEventListener("keydown", (event) => {
    if (event.target.closest("[data-number]")) onField(event);
  });
}
byId("list").addEventListener("click", (event) => {
  const over = event.target.closest("[data-number]");
  // Enter and the space bar choose by themselves.
  if (over && event.detail) {
    choose(Number(over.dataset.number), event.shiftKey);
    focusOn("list", over.dataset.number);
  }
});

addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  const key = event.key.toLowerCase();
  if (key === "s") {
    event.preventDefault();
    save();
  } else if ((key === "z" || key === "y") && !event.target.matches(TYPED)) {
    event.preventDefault();
    if (key === "y" || event.shiftKey) step(future, past);
    else step(past, future);
  }
});

// --- save and try ----------------------------------------------------------------------------------

/** Take over what is typed in a control that still has the focus. */
function settle() {
  const at = document.activeElement;
  if (at && at.matches("input, textarea, select")) {
    at.blur();
    if (at.id && byId(at.id)) byId(at.id).focus();
  }
}

async function save() {
  settle();
  const sent = JSON.stringify(now);
  const said = await ask("/template", JSON.stringify({ values: now, digest: form.digest }));
  if (!said.isProblem) {
    form.digest = said.digest;
    saved = sent;
  }
  showProblem(said.isProblem ? said : null);
}

function showSheets(names, current) {
  const scan = byId("scan");
  scan.replaceChildren(...names.map((name) => element("option", { value: name, selected: name === current }, name)));
  byId("read").disabled = !names.length;
}

async function addScan(file) {
  byId("tried").textContent = `Sending ${file.name} …`;
  const said = await ask(`/sheets/${encodeURIComponent(file.name)}`, file);
  byId("tried").textContent = said.isProblem ? said.what : "";
  if (said.isProblem) return;
  showSheets(said.sheets, file.name);
  byId("page").value = 1;
  await tryIt();
}

async function tryIt() {
  settle();
  byId("read").disabled = true;
  byId("tried").textContent = "Reading …";
  byId("results").replaceChildren();
  const said = await ask("/try", JSON.stringify({ values: now, sheet: byId("scan").value, page: Number(byId("page").value) }));
  byId("read").disabled = false;
  byId("tried").textContent = said.isProblem ? said.what : said.broken_rules ? `Broken: ${said.broken_rules}` : `${said.fields.length} fields`;
  if (said.key) showProblem(said);
  if (said.isProblem) return;
  showProblem(null);
  byId("results").replaceChildren(...said.fields.map(result));
}

function result(field) {
  const sure = field.confidence === null ? "" : `${Math.floor(field.confidence * 100)} %`;
  const head = element("div", { className: "what" }, element("span", {}, field.name), element("span", {}, [sure, field.look_at ? "look at it" : ""].filter(Boolean).join(", ")));
  const picture = element("img", { src: `data:image/png;base64,${field.picture}`, alt: `${field.name} on the scan` });
  const read = element("div", {}, field.text ? element("code", {}, field.text) : "empty");
  if (field.value) read.append(` means ${field.value}`);
  const made = element("li", {}, head, picture, read);
  if (field.broken) made.append(element("p", { className: "error" }, `${field.name} ${field.broken}`));
  return made;
}

function showTab(name) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const isShown = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", isShown);
    tab.tabIndex = isShown ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = !isShown;
  }
}

// --- begin -----------------------------------------------------------------------------------------

const ACTS = {
  undo: () => step(past, future),
  redo: () => step(future, past),
  save,
  new: addInView,
  duplicate,
  "split-across": () => split(true),
  "split-down": () => split(false),
  join,
  delete: remove,
  up: () => reorder(-1),
  down: () => reorder(1),
  smaller: () => setZoom(zoom / 1.25),
  larger: () => setZoom(zoom * 1.25),
  fit: () => setZoom(fitted()),
};
for (const [id, act] of Object.entries(ACTS)) byId(id).addEventListener("click", act);
for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => showTab(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = byId(tab.id === "tab-try" ? "tab-fields" : "tab-try");
    showTab(other.getAttribute("aria-controls"));
    other.focus();
  });
}
byId("keys").addEventListener("submit", (event) => event.preventDefault());
byId("rules").addEventListener("change", () => {
  const rules = byId("rules").value.split("\n").map((rule) => rule.trim()).filter(Boolean);
  change((template) => {
    if (rules.length) template.rules = rules;
    else delete template.rules;
  });
});
byId("trying").addEventListener("submit", (event) => {
  event.preventDefault();
  tryIt();
});
byId("add").addEventListener("change", () => {
  if (byId("add").files.length) addScan(byId("add").files[0]);
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer.files.length) return;
  showTab("try");
  addScan(event.dataTransfer.files[0]);
});
addEventListener("beforeunload", (event) => {
  if (form && isChanged()) event.preventDefault();
});

ask("/template").then((said) => {
  if (said.isProblem) {
    byId("problem").textContent = said.what;
    byId("problem").hidden = false;
    return;
  }
  form = said;
  now = said.values;
  saved = JSON.stringify(now);
  chosen = [0];
  zoom = fitted();
  showSheets(said.sheets, said.sheets[0]);
  show();
  document.body.dataset.ready = "yes";
});
