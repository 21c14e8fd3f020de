// Plots PSNR against NIQE of all images.
const PLOT = { width: 640, height: 400, left: 60, right: 612, top: 16, bottom: 344 };
const TICKS = 6;
const ACROSS = "psnr_y in dB: higher is closer to the truth";
const UP = "NIQE: lower looks more natural";

// Maps values to positions, with round numbers at the ticks.
function makeAxis(values, start, end) {
  // Not in one call, which has a limited number of arguments.
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  const step = chooseStep((most - least || 1) / TICKS);
  const first = Math.floor(least / step);
  let last = Math.ceil(most / step);
  if (last === first) last += 1;
  const place = (value) => {
    const share = (value / step - first) / (last - first);
    return Number((start + share * (end - start)).toFixed(2));
  };
  const decimals = Math.max(0, -Math.floor(Math.log10(step)));
  const ticks = [];
  for (let index = first; index <= last; index += 1) {
    ticks.push({ at: place(index * step), text: (index * step).toFixed(decimals) });
  }
  return { place, ticks };
}

// The least step of 1, 2, 5 or 10 times a power of ten that is at least `least`.
function chooseStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find((n) => n * power >= least * (1 - 1e-9)) * power;
}

// A point for each image of each model; null if no image has both numbers.
function drawScatter(report, scale) {
  const points = scale.images.flatMap(({ name, values }) =>
    values.map((value, model) => ({ name, model, x: value.psnr_y, y: value.niqe })),
  );
  // Equal pictures have an infinite PSNR.
  const drawn = points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  if (drawn.length === 0) return null;
  const { left, right, top, bottom, width, height } = PLOT;
  const across = makeAxis(drawn.map(({ x }) => x), left, right);
  const up = makeAxis(drawn.map(({ y }) => y), bottom, top);
  // Draw our marks last, above bicubic's.
  drawn.sort((a, b) => b.model - a.model);
  const attributes = {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": "PSNR and NIQE of each image",
    class: "scatter",
  };
  const marks = drawn.map((point) => drawPoint(report, point, across, up));
  const svg = shape("svg", attributes, ...drawAxes(across, up), ...marks);
  return wide("PSNR against NIQE", svg);
}

// Lines and numbers at the ticks, and the titles of the axes.
function drawAxes(across, up) {
  const { left, right, top, bottom, height } = PLOT;
  const line = (x1, y1, x2, y2) => shape("line", { x1, y1, x2, y2 });
  const text = (words, x, y, anchor, transform = null) =>
    shape("text", { x, y, "text-anchor": anchor, transform }, words);
  const middle = (top + bottom) / 2;
  return [
    ...across.ticks.flatMap((tick) => [
      line(tick.at, top, tick.at, bottom),
      text(tick.text, tick.at, bottom + 18, "middle"),
    ]),
    ...up.ticks.flatMap((tick) => [
      line(left, tick.at, right, tick.at),
      text(tick.text, left - 8, tick.at + 4, "end"),
    ]),
    text(ACROSS, (left + right) / 2, height - 10, "middle"),
    text(UP, 16, middle, "middle", `rotate(-90 16 ${middle})`),
  ];
}

function drawPoint(report, { name, model, x, y }, across, up) {
  const said = `psnr_y ${x.toFixed(3)}, niqe ${y.toFixed(3)}`;
  const title = shape("title", {}, `${name}, ${report.models[model]}: ${said}`);
  const marks = drawMark(model, across.place(x), up.place(y));
  return shape("g", { class: "point" }, title, ...marks);
}

// A disc for our images and a cross for bicubic's, which differ even without colours.
function drawMark(model, x, y) {
  if (model === 0) {
    return [shape("circle", { cx: x, cy: y, r: 4.5, class: "mark-0" })];
  }
  // An invisible disc under the cross makes it easier to hover over.
  return [
    shape("circle", { cx: x, cy: y, r: 6, class: "target" }),
    shape("path", { d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`, class: "mark-1" }),
  ];
}

// The mark of each model.
function drawLegend(report) {
  const marks = report.models.map((name, model) => {
    const mark = shape("svg", { viewBox: "0 0 16 16" }, ...drawMark(model, 8, 8));
    return element("span", {}, mark, name);
  });
  return element("p", { class: "legend" }, ...marks);
}
