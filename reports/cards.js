// Cards of images: a slider over the whole pictures, and the worst region.
// Largest size of small pictures that are enlarged by a whole number, in CSS pixels.
const SHOWN = { width: 1000, height: 720, region: 256 };

// The id of a card within the page.
function nameCard(scale, index) {
  return `x${scale.scale}-${index}`;
}

// The cards of one scale, worst image first.
function drawCards(report, scale) {
  const cards = scale.exhibits.map((exhibit, index) => {
    const { values } = scale.images.find((image) => image.name === exhibit.name);
    const place = `x${scale.scale}, ${describeRank(index, scale)}`;
    return element(
      "article",
      { id: nameCard(scale, index) },
      element("h4", {}, exhibit.name, " ", element("small", {}, place)),
      element("p", { class: "values" }, ...describeValues(report, values)),
      drawSlider(exhibit),
      ...drawRegion(exhibit),
    );
  });
  return element("div", { class: "cards" }, ...cards);
}

function describeRank(index, scale) {
  const count = scale.exhibits.length;
  if (count === scale.images.length) return `${index + 1} of ${count}, worst first`;
  const worst = Math.ceil(count / 2);
  if (index < worst) return `${index + 1} of the ${worst} worst`;
  return `${count - index} of the ${count - worst} best`;
}

// The first values of one image, for each model.
function describeValues(report, values) {
  return report.columns.slice(0, 3).map((column) => {
    const shown = values.map(
      (value, index) =>
        `${report.models[index]} ${formatValue(column, value[column.metric])}`,
    );
    const name = element("b", {}, column.metric);
    return element("span", { class: "value" }, name, " ", shown.join(", "));
  });
}

// Stacked pictures with a divider that can be moved.
function drawSlider(exhibit) {
  if (exhibit.encoded === null) return remark("The page has no room for its pictures.");
  const { uris, window } = exhibit.encoded;
  const fits = Math.min(SHOWN.width / window.width, SHOWN.height / window.height);
  const zoom = Math.max(1, Math.floor(fits));
  const handle = element("div", {
    class: "handle",
    role: "slider",
    tabindex: 0,
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    "aria-valuenow": 50,
  });
  const images = uris.map(([name, src]) =>
    element("img", { src, alt: `${exhibit.name}: ${name}`, "data-name": name }),
  );
  const size = `aspect-ratio: ${window.width} / ${window.height}`;
  const attributes = {
    class: zoom > 1 ? "stage enlarged" : "stage",
    style: `--width: ${window.width * zoom}px; ${size}`,
  };
  const stage = element(
    "div",
    attributes,
    ...images,
    element("div", { class: "mark", style: placeMark(exhibit) }),
    element("span", { class: "tag left" }),
    element("span", { class: "tag right" }),
    handle,
  );
  moveDivider(stage, handle);
  return element(
    "div",
    { class: "slider" },
    drawPairs(uris.map(([name]) => name), stage, handle),
    stage,
    describeEncoding(exhibit),
  );
}

// Buttons that choose two of the pictures; the first two are chosen initially.
function drawPairs(names, stage, handle) {
  function drawButton(left, right) {
    const button = element("button", { type: "button" }, `${left} | ${right}`);
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", other === button);
      for (const image of stage.querySelectorAll("img")) {
        image.classList.toggle("left", image.dataset.name === left);
        image.classList.toggle("right", image.dataset.name === right);
      }
      stage.querySelector(".tag.left").textContent = left;
      stage.querySelector(".tag.right").textContent = right;
      handle.setAttribute("aria-label", `Divider between ${left} and ${right}`);
    });
    return button;
  }

  const buttons = names.flatMap((left, index) =>
    names.slice(index + 1).map((right) => drawButton(left, right)),
  );
  buttons[0].click();
  const attributes = { class: "pairs", role: "group", "aria-label": "Pictures to compare" };
  return element("div", attributes, ...buttons);
}

// The position of the worst region, in percent of the shown part.
function placeMark({ encoded: { window }, region }) {
  const percent = (part, whole) => `${((part / whole) * 100).toFixed(4)}%`;
  const left = percent(region.left - window.left, window.width);
  const top = percent(region.top - window.top, window.height);
  const width = percent(region.side, window.width);
  const height = percent(region.side, window.height);
  return `left: ${left}; top: ${top}; width: ${width}; height: ${height}`;
}

// Says how the shown pictures differ from the whole, exact pictures; null if they do not.
function describeEncoding({ size: [height, width], encoded: { window, quality } }) {
  const said = [];
  if (window.height !== height || window.width !== width) {
    said.push(
      `Cropped to ${window.width} x ${window.height} of ${width} x ${height} pixels, around the worst region.`,
    );
  }
  if (quality !== null) {
    said.push(
      `Shown as JPEG of quality ${quality} to save space; the region below is exact.`,
    );
  }
  return remark(said.join(" ") || null);
}

// The region where our picture differs most from the truth, of each picture.
function drawRegion({ crops, region: { side, difference } }) {
  if (crops.length === 0) return [];
  const width = side * Math.max(1, Math.floor(SHOWN.region / side));
  const figures = crops.map(([name, src]) => {
    const style = `--width: ${width}px`;
    const image = element("img", { src, alt: `${name}, enlarged`, style });
    return element("figure", {}, image, element("figcaption", {}, name));
  });
  const [[ours], [truth]] = crops.slice(-2);
  const text = `The region where ${ours} differs most from the ${truth}: ${side} x ${side} pixels, by ${difference.toFixed(1)} grey levels on average.`;
  return [element("p", {}, text), element("div", { class: "region" }, ...figures)];
}
