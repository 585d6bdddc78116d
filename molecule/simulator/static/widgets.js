// STAND-IN for a sensor's console: the markup is invented, only labels, roles and texts follow the documentation.

let widgets = 100;

/** Make an element; attributes that are false or null are left out, functions become listeners. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Name an input in one of the four ways that pages use. */
export function named(shape, label, input, ...more) {
  const id = `w${++widgets}`;
  if (shape === "for") {
    input.id = id;
    return el("div", { class: "field" }, el("label", { for: id }, label), input, ...more);
  }
  if (shape === "wrap") return el("div", { class: "field" }, el("label", {}, el("span", {}, label), input), ...more);
  if (shape === "aria-label") {
    input.setAttribute("aria-label", label);
    return el("div", { class: "field" }, el("span", {}, label), input, ...more);
  }
  input.setAttribute("aria-labelledby", id);
  return el("div", { class: "field" }, el("span", { id }, label), input, ...more);
}

/** Make a toggle: an object with its element and whether it is on. */
export function toggle(kind, on) {
  if (kind === "button") {
    const element = el("button", { type: "button", role: "switch", "aria-checked": String(on) });
    element.addEventListener("click", () => element.setAttribute("aria-checked", String(element.ariaChecked !== "true")));
    return { element, get on() { return element.ariaChecked === "true"; } };
  }
  const element = el("input", { type: "checkbox", role: kind === "switch" ? "switch" : null });
  element.checked = on;
  return { element, get on() { return element.checked; } };
}

/** Make tabs: texts with functions that return a panel's content (a promise). */
export function tabs(panels, selected, show) {
  const bar = el("div", { role: "tablist" });
  for (const [text, open] of panels) {
    bar.append(el("button", { type: "button", role: "tab", "aria-selected": String(text === selected), click: () => show(text, open) }, text));
  }
  return bar;
}

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
