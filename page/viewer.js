// The results of app.py: a list with downloads, and one picture beside its result.
const [STEP, PAN, LARGEST] = [1.25, 60, 32];

// Draws the results into a place, and again when they change.
function showResults(place, results) {
  // Most changes are of the status alone.
  const state = JSON.stringify(results);
  if (place.dataset.state === state) return;
  place.dataset.state = state;
  place.replaceChildren();
  const list = element("ul", { "aria-label": "Results" });
  const shown = element("div", {});
  if (results.all) {
    const all = element("a", { href: results.all, download: "" }, "Download all (zip)");
    place.append(element("p", {}, all));
  }
  place.append(list, shown);
  const choose = (picture, item) => {
    place.dataset.shown = picture.download;
    for (const each of list.children) {
      each.classList.toggle("shown", each === item);
      each.querySelector("button")?.setAttribute("aria-pressed", each === item);
    }
    shown.replaceChildren(...drawComparison(picture));
  };
  const items = results.pictures.map((picture) => {
    const item = drawItem(picture);
    item.querySelector("button")?.addEventListener("click", () => choose(picture, item));
    list.append(item);
    return item;
  });
  const made = results.pictures.filter((picture) => picture.download);
  const before = made.find((picture) => picture.download === place.dataset.shown);
  const first = before ?? made[0];
  if (first) choose(first, items[results.pictures.indexOf(first)]);
}

function drawItem(picture) {
  const notes = picture.notes.map((text) => element("p", { class: "note" }, text));
  if (!picture.download) {
    const head = element("div", { class: "head" }, element("span", { class: "name" }, picture.name));
    return element("li", {}, head, element("p", { class: "note error" }, picture.error));
  }
  const head = element(
    "div",
    { class: "head" },
    element("button", { type: "button", class: "name" }, picture.name),
    element("a", { href: picture.download, download: picture.name }, "Download"),
  );
  const sizes = [picture.before, picture.after].map(({ size }) => size.join(" x "));
  const values = [sizes.join(" to "), ...picture.values].join(" · ");
  return element("li", {}, head, element("p", { class: "faint" }, values), ...notes);
}

// A picture and its result on one another, with a divider, zoom and pan.
function drawComparison({ name, before, after }) {
  const [width, height] = after.size;
  const layer = (side, { address }, what) =>
    element(
      "div",
      { class: `layer ${side}` },
      element("img", { src: address, alt: `${name}, ${what}`, width, height, style: `width: ${width}px; height: ${height}px` }),
    );
  const handle = element("div", {
    class: "handle",
    role: "slider",
    tabindex: 0,
    "aria-label": "Divider between input and result",
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    "aria-valuenow": 50,
  });
  const stage = element(
    "div",
    {
      class: "stage",
      tabindex: 0,
      role: "group",
      "aria-label": "Input and result. Arrow keys move them, + and - zoom, 0 fits, 1 shows real pixels.",
      style: `aspect-ratio: ${width} / ${height}`,
    },
    layer("right", after, "result"),
    layer("left", before, "input"),
    element("span", { class: "tag left" }, "input"),
    element("span", { class: "tag right" }, "result"),
    handle,
  );
  moveDivider(stage, handle, handle);
  const tools = zoomAndPan(stage, width, height);
  const reduced = after.factor > 1 ? `Shown reduced by ${after.factor}; the download is whole.` : null;
  return [tools, stage, reduced && element("p", { class: "faint" }, reduced)].filter(Boolean);
}

// Lets pointers, the wheel, keys and buttons zoom and move the pictures of a stage.
// Returns the buttons.
function zoomAndPan(stage, width, height) {
  const images = stage.querySelectorAll("img");
  const percent = element("span", { class: "faint", role: "status" });
  let [x, y, zoom] = [0, 0, 0];
  const real = () => 1 / window.devicePixelRatio;
  const fit = () => Math.min(stage.clientWidth / width, stage.clientHeight / height);
  const clamp = (at, length, room) =>
    length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, at));

  function show() {
    x = clamp(x, width * zoom, stage.clientWidth);
    y = clamp(y, height * zoom, stage.clientHeight);
    for (const image of images) {
      image.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
      image.style.imageRendering = zoom >= 2 * real() ? "pixelated" : "auto";
    }
    stage.classList.toggle("zoomed", zoom > fit() * 1.001);
    percent.textContent = `${Math.round((100 * zoom) / real())} %`;
  }

  // Keeps the point (left, top) of the stage in its place.
  function zoomTo(next, left = stage.clientWidth / 2, top = stage.clientHeight / 2) {
    next = Math.min(LARGEST * real(), Math.max(Math.min(fit(), real()), next));
    x = left - ((left - x) / zoom) * next;
    y = top - ((top - y) / zoom) * next;
    zoom = next;
    show();
  }

  const actions = {
    "-": ["−", "Zoom out", () => zoomTo(zoom / STEP)],
    "+": ["+", "Zoom in", () => zoomTo(zoom * STEP)],
    0: ["Fit", "Fit the whole picture", () => zoomTo(fit())],
    1: ["Real pixels", "Show a pixel of the result as one of the screen", () => zoomTo(real())],
  };
  const buttons = Object.values(actions).map(([text, label, act]) => {
    const button = element("button", { type: "button", title: label, "aria-label": label }, text);
    button.addEventListener("click", act);
    return button;
  });
  const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  stage.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey) return;
    const key = event.key === "=" ? "+" : event.key;
    if (key in moves) {
      x += PAN * moves[key][0];
      y += PAN * moves[key][1];
      show();
    } else if (key in actions) actions[key][2]();
    else return;
    event.preventDefault();
  });
  // A wheel that scrolls the page must not stop here, unless the stage was clicked.
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !stage.contains(document.activeElement)) return;
    const box = stage.getBoundingClientRect();
    zoomTo(zoom * STEP ** (-event.deltaY / 100), event.clientX - box.left, event.clientY - box.top);
    event.preventDefault();
  });
  followPointers(stage, (dx, dy, by, left, top) => {
    x += dx;
    y += dy;
    zoomTo(zoom * by, left, top);
  });
  zoom = fit();
  // Not in the page yet, it has no size; and it gets another when the window does.
  let whole = true;
  new ResizeObserver(() => {
    if (whole || !stage.classList.contains("zoomed")) zoom = fit();
    whole = false;
    show();
  }).observe(stage);
  return element("div", { class: "tools" }, ...buttons, percent);
}

// Calls `move` with the way of one pointer, or the way and the zoom of two.
function followPointers(stage, move) {
  const points = new Map();
  const middle = () => {
    const all = [...points.values()];
    const mean = (axis) => all.reduce((sum, point) => sum + point[axis], 0) / all.length;
    const far = all.length > 1 ? Math.hypot(all[0][0] - all[1][0], all[0][1] - all[1][1]) : 1;
    return [mean(0), mean(1), far];
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target.classList.contains("handle")) return;
    stage.setPointerCapture(event.pointerId);
    points.set(event.pointerId, [event.clientX, event.clientY]);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!points.has(event.pointerId)) return;
    const [left, top, far] = middle();
    points.set(event.pointerId, [event.clientX, event.clientY]);
    const [nextLeft, nextTop, nextFar] = middle();
    const box = stage.getBoundingClientRect();
    move(nextLeft - left, nextTop - top, nextFar / far, nextLeft - box.left, nextTop - box.top);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => points.delete(event.pointerId));
  }
}
