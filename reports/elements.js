"use strict";

// Sets the attributes of an element and appends its content, elements or text nodes.
// Null values are left out.
function fill(made, attributes, inside) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(name, value);
  }
  // One call each: a single call has a limited number of arguments.
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

// Names and their meanings, for a <dl>; each pair is (text or elements, text).
function definitions(pairs) {
  return pairs.map(([name, meaning]) =>
    element("div", {}, element("dt", {}, ...[name].flat()), element("dd", {}, meaning)),
  );
}

// Makes wide content scroll by itself, also with the keyboard.
function wide(label, inside) {
  const attributes = { class: "wide", tabindex: 0, role: "region", "aria-label": label };
  return element("div", attributes, inside);
}
