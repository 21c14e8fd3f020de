"use strict";

// Sets attributes and adds what an element holds: elements, or text that stays text.
// What is null is left out.
function fill(made, attributes, inside) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(name, value);
  }
  // One by one: there may be more than a call takes as arguments.
  for (const piece of inside) {
    if (piece !== null) made.append(piece);
  }
  return made;
}

function element(name, attributes, ...inside) {
  return fill(document.createElement(name), attributes, inside);
}

function shape(name, attributes, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  return fill(made, attributes, inside);
}

function remark(text) {
  return text === null ? null : element("p", { class: "remark" }, text);
}

// Names and what they mean, for a <dl>; each is (text or elements, text).
function definitions(pairs) {
  return pairs.map(([name, meaning]) =>
    element("div", {}, element("dt", {}, ...[name].flat()), element("dd", {}, meaning)),
  );
}

// Lets something wide scroll by itself, with the keyboard too.
function wide(label, inside) {
  const attributes = { class: "wide", tabindex: 0, role: "region", "aria-label": label };
  return element("div", attributes, inside);
}
