// Most rows of the table, so that browsers can sort it; the CSV file has all rows.
const MOST_ROWS = 20_000;

function numberCell(text, judged = "") {
  return element("td", { class: `number ${judged}`.trim() }, text);
}

function gainCell(column, gain) {
  return numberCell(formatGain(column, gain), judge(column, gain));
}

// The header of a column.
function headText(column) {
  const unit = column.unit ? `, ${column.unit}` : "";
  return [column.metric, " ", element("small", {}, `${hint(column)}${unit}`)];
}

// The averages of one scale beside bicubic's and published averages.
function drawAverages(report, scale) {
  const row = (title, cells, attributes = {}) =>
    element("tr", attributes, element("th", { scope: "row" }, ...title), ...cells);
  const heads = report.columns.map((column) =>
    element("th", { scope: "col", class: "number" }, ...headText(column)),
  );
  const rows = scale.averages.map((average, index) =>
    row(
      [`${report.models[index]}, measured`],
      report.columns.map((c) => numberCell(formatValue(c, average[c.metric]))),
    ),
  );
  if (report.models.length === 2) {
    const [ours, theirs] = scale.averages;
    const gain = (c) => gainCell(c, ours[c.metric] - theirs[c.metric]);
    rows.push(row(["difference"], report.columns.map(gain)));
  }
  for (const result of scale.published) {
    const source = element("small", {}, result.source);
    const isOurs = result.source.startsWith("measured");
    const title = [`${result.method}, ${isOurs ? "" : "published "}`, source];
    const cells = report.columns.map((c) => numberCell(result[c.metric] ?? ""));
    rows.push(row(title, cells, { class: "published" }));
  }
  const head = element("thead", {}, element("tr", {}, element("td", {}), ...heads));
  const body = element("tbody", {}, ...rows);
  return wide("Averages", element("table", { class: "averages" }, head, body));
}

// All images of all scales, in a table that can be sorted and filtered.
function drawImages(report) {
  const all = report.scales.flatMap((scale) =>
    scale.images.map((image) => ({ scale, ...image })),
  );
  const rows = all.slice(0, MOST_ROWS).map((image) => makeRow(report, image));
  const heads = [];
  const head = drawHead(report, heads);
  const body = element("tbody", {}, ...rows.map((row) => row.element));
  const table = element("table", { id: "images" }, head, body);
  for (const [index, sorter] of heads.entries()) {
    const sort = () => sortRows(rows, heads, index, body);
    sorter.querySelector("button").addEventListener("click", sort);
  }
  const [most, count] = [MOST_ROWS, all.length].map((n) => n.toLocaleString("en"));
  const cut = `The first ${most} of ${count} rows; --csv_path writes all rows.`;
  return [
    remark(all.length > MOST_ROWS ? cut : null),
    drawFilters(report, rows),
    wide("All images", table),
  ];
}

// A row and its sort keys: name, scale and numbers.
function makeRow(report, { scale, name, values }) {
  const shownAt = scale.exhibits.findIndex((exhibit) => exhibit.name === name);
  const link = shownAt < 0 ? null : `#${nameCard(scale, shownAt)}`;
  const shown = link ? element("a", { href: link }, name) : name;
  const keys = [name, scale.scale];
  const cells = [
    element("th", { scope: "row" }, shown),
    element("td", { class: "number" }, `x${scale.scale}`),
  ];
  for (const [index, column] of report.columns.entries()) {
    const numbers = values.map((value) => value[column.metric]);
    keys.push(...numbers);
    cells.push(...numbers.map((value) => numberCell(formatValue(column, value))));
    if (index === 0 && numbers.length === 2) {
      keys.push(numbers[0] - numbers[1]);
      cells.push(gainCell(column, numbers[0] - numbers[1]));
    }
  }
  return { element: element("tr", {}, ...cells), keys };
}

// The head of the table; its sortable cells are added to `heads`, in column order.
function drawHead(report, heads) {
  const sorter = (text, label, kind = null) => {
    const button = element("button", { type: "button", "aria-label": label }, text);
    const attributes = { scope: "col", "aria-sort": "none", class: kind };
    heads.push(element("th", attributes, button));
    return heads.at(-1);
  };
  const above = [element("td", { colspan: 2 })];
  const below = [sorter("image", "image"), sorter("scale", "scale")];
  for (const [index, column] of report.columns.entries()) {
    const hasGain = index === 0 && report.models.length === 2;
    const names = [...report.models, ...(hasGain ? ["difference"] : [])];
    const attributes = { colspan: names.length, scope: "colgroup" };
    above.push(element("th", attributes, ...headText(column)));
    for (const name of names) {
      below.push(sorter(name, `${column.metric} of ${name}`, "number"));
    }
  }
  return element("thead", {}, element("tr", {}, ...above), element("tr", {}, ...below));
}

const naturalOrder = new Intl.Collator(undefined, { numeric: true });

function compareNumbers(x, y, direction) {
  // Missing values come last in both directions.
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
  return x === y ? 0 : direction * (x - y); // Infinity - Infinity would be NaN.
}

function sortRows(rows, heads, index, body) {
  const direction = heads[index].getAttribute("aria-sort") === "ascending" ? -1 : 1;
  rows.sort(({ keys: a }, { keys: b }) =>
    index === 0
      ? direction * naturalOrder.compare(a[0], b[0])
      : compareNumbers(a[index], b[index], direction),
  );
  for (const head of heads) head.setAttribute("aria-sort", "none");
  heads[index].setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  body.append(...rows.map((row) => row.element));
}

// Filters of the rows: by name, and by scale if there are several scales.
function drawFilters(report, rows) {
  const typed = { type: "search", id: "name-filter", autocomplete: "off" };
  const name = element("input", typed);
  const options = report.scales.map(({ scale }) =>
    element("option", { value: scale }, `x${scale}`),
  );
  const every = element("option", { value: "" }, "all");
  const scale = element("select", { id: "scale-filter" }, every, ...options);
  const said = element("output", { id: "row-count" });

  function filter() {
    const wanted = name.value.toLowerCase();
    let count = 0;
    for (const { element: row, keys } of rows) {
      const hasName = keys[0].toLowerCase().includes(wanted);
      const hasScale = scale.value === "" || Number(scale.value) === keys[1];
      row.hidden = !(hasName && hasScale);
      count += !row.hidden;
    }
    said.textContent = count === 1 ? "1 row" : `${count} rows`;
  }

  name.addEventListener("input", filter);
  scale.addEventListener("change", filter);
  filter();
  const choice = options.length > 1 ? element("label", {}, "Scale ", scale) : null;
  const search = element("label", {}, "Name contains ", name);
  return element("p", { class: "filters" }, search, choice, said);
}
