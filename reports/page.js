// Reads the report. Values are in lists in the order of `models`, ours first.
function readReport() {
  const report = JSON.parse(document.getElementById("data").textContent);
  const averages = report.scales.flatMap((scale) => scale.averages);
  const images = report.scales.flatMap((scale) => scale.images);
  for (const values of [...averages, ...images.flatMap((image) => image.values)]) {
    for (const [metric, value] of Object.entries(values)) {
      // JSON has no NaN and no infinities: they are null and text.
      values[metric] = value === null ? NaN : Number(value);
    }
  }
  report.columns = COLUMNS.filter(({ metric }) => metric in averages[0]);
  return report;
}

// Adds a part for each scale to a section; removes the section if nothing is shown.
function fillSection(id, scales, draw) {
  const section = document.getElementById(id);
  for (const scale of scales) {
    const parts = [draw(scale)].flat().filter((part) => part !== null);
    section.append(element("h3", {}, `x${scale.scale}`), ...parts);
  }
  if (scales.length === 0) section.remove();
}

function drawPage(report) {
  const { columns, scales } = report;
  const meanings = columns.map((column) => [
    [column.metric, " ", element("small", {}, hint(column))],
    column.meaning,
  ]);
  document.getElementById("facts").append(...definitions(report.facts));
  document.getElementById("meanings").append(...definitions(meanings));
  fillSection("averages", scales, (scale) => [
    drawAverages(report, scale),
    ...scale.warnings.map((text) => element("p", { class: "warning" }, text)),
    remark(scale.remark),
  ]);
  document.getElementById("scatters").append(drawLegend(report));
  fillSection(
    "scatters",
    scales.filter((scale) => "niqe" in scale.averages[0]),
    (scale) => drawScatter(report, scale) ?? remark("No image has both numbers."),
  );
  fillSection(
    "gallery",
    scales.filter((scale) => scale.exhibits.length > 0),
    (scale) => drawCards(report, scale),
  );
  const table = drawImages(report).filter((part) => part !== null);
  document.getElementById("all-images").append(...table);
}

drawPage(readReport());
