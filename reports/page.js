"use strict";

// A divider over pictures that lie on one another.
function startSlider(slider) {
  const stage = slider.querySelector(".stage");
  const handle = stage.querySelector(".handle");
  const buttons = [...slider.querySelectorAll(".pairs button")];
  let at = 50;

  function move(percent) {
    at = Math.min(100, Math.max(0, percent));
    stage.style.setProperty("--at", `${at}%`);
    handle.setAttribute("aria-valuenow", Math.round(at));
  }

  function follow(event) {
    const box = stage.getBoundingClientRect();
    move(((event.clientX - box.left) / box.width) * 100);
  }

  function choose(button) {
    const { left, right } = button.dataset;
    for (const one of buttons) {
      one.setAttribute("aria-pressed", one === button);
    }
    for (const image of stage.querySelectorAll("img")) {
      image.classList.toggle("left", image.dataset.name === left);
      image.classList.toggle("right", image.dataset.name === right);
    }
    stage.querySelector(".tag.left").textContent = left;
    stage.querySelector(".tag.right").textContent = right;
    handle.setAttribute("aria-label", `Divider between ${left} and ${right}`);
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    follow(event);
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  handle.addEventListener("keydown", (event) => {
    const by = event.shiftKey ? 10 : 2;
    const targets = {
      ArrowLeft: at - by,
      ArrowDown: at - by,
      ArrowRight: at + by,
      ArrowUp: at + by,
      PageDown: at - 10,
      PageUp: at + 10,
      Home: 0,
      End: 100,
    };
    if (!(event.key in targets)) return;
    move(targets[event.key]);
    event.preventDefault();
  });
  for (const button of buttons) {
    button.addEventListener("click", () => choose(button));
  }
  choose(buttons[0]);
}

// A table that is sorted by a click on a column's head, and filtered.
function startTable(table) {
  const body = table.tBodies[0];
  const heads = [...table.querySelectorAll("th[aria-sort]")];
  const names = new Intl.Collator(undefined, { numeric: true });

  function compareNumbers(one, other, turned) {
    const [x, y] = [Number(one), Number(other)];
    // What is not there comes last, whichever way the table is sorted.
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return x === y ? 0 : turned * (x - y); // Two infinities have no difference.
  }

  function sort(head) {
    const index = heads.indexOf(head);
    const turned = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const value = (row) => row.cells[index].dataset.value;
    const rows = [...body.rows].sort((one, other) =>
      index === 0
        ? turned * names.compare(value(one), value(other))
        : compareNumbers(value(one), value(other), turned),
    );
    for (const one of heads) one.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", turned > 0 ? "ascending" : "descending");
    body.append(...rows);
  }

  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => sort(head));
  }
}

function startFilters(table) {
  const name = document.getElementById("name-filter");
  const scale = document.getElementById("scale-filter");
  const said = document.getElementById("row-count");

  function filter() {
    const wanted = name.value.toLowerCase();
    let count = 0;
    for (const row of table.tBodies[0].rows) {
      const hasName = row.cells[0].dataset.value.toLowerCase().includes(wanted);
      const hasScale = !scale || !scale.value || row.dataset.scale === scale.value;
      row.hidden = !(hasName && hasScale);
      count += !row.hidden;
    }
    said.textContent = count === 1 ? "1 row" : `${count} rows`;
  }

  name.addEventListener("input", filter);
  if (scale) scale.addEventListener("change", filter);
}

document.querySelectorAll(".slider").forEach(startSlider);
startTable(document.getElementById("images"));
startFilters(document.getElementById("images"));
