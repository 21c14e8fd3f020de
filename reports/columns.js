// The metrics in the order of their columns; other metrics are not shown. The sign is 1
// if higher is better. Numbers have 3 decimals unless a column says otherwise.
const predicted = (dataSet) =>
  `Mean score that people would give, predicted by a network that was trained on ${dataSet}. It does not use the truth.`;

const COLUMNS = [
  {
    metric: "psnr_y",
    sign: 1,
    unit: "dB",
    meaning:
      "Peak signal-to-noise ratio on luma: how close the picture is to the truth, pixel by pixel. One decibel more means a mean squared error about a fifth smaller. Most papers compare it.",
  },
  {
    metric: "ssim_y",
    sign: 1,
    decimals: 4,
    meaning:
      "Structural similarity to the truth on luma: whether edges and textures agree. 1 for equal pictures.",
  },
  {
    metric: "niqe",
    sign: -1,
    meaning:
      "Distance of the picture's statistics from the statistics of natural photographs. It does not use the truth, so a sharp picture that differs from the truth can have a good value.",
  },
  {
    metric: "grid",
    sign: -1,
    meaning:
      "Height of the peaks in the picture's spectrum at periods of 2 and 4 pixels: a regular grid, which networks that are trained against a discriminator may draw. About 1 for photographs. It does not use the truth.",
  },
  {
    metric: "aesthetic",
    sign: 1,
    meaning: predicted("AVA, photographs scored for beauty"),
  },
  {
    metric: "subjective",
    sign: 1,
    meaning: predicted("TID2013, pictures scored for quality"),
  },
  {
    metric: "psnr_rgb",
    sign: 1,
    unit: "dB",
    meaning: "Like psnr_y, but over red, green and blue; usually slightly lower.",
  },
  {
    metric: "rmse_y",
    sign: -1,
    unit: "grey levels",
    meaning:
      "Root of the mean squared error on luma. The average is the root of the mean squared error over all images, as in the PIRM challenge.",
  },
  {
    metric: "rmse_rgb",
    sign: -1,
    unit: "grey levels",
    meaning: "Like rmse_y, but over red, green and blue.",
  },
].map((column) => ({ decimals: 3, ...column }));

const MINUS = "\u2212";

function formatValue(column, value) {
  if (Number.isNaN(value)) return "\u2013";
  if (!Number.isFinite(value)) return value > 0 ? "\u221e" : `${MINUS}\u221e`;
  return value.toFixed(column.decimals);
}

// A difference with a sign.
function formatGain(column, gain) {
  const text = formatValue(column, Math.abs(gain));
  if (!Number.isFinite(gain) || Number(text) === 0) return text;
  return `${gain > 0 ? "+" : MINUS}${text}`;
}

// Whether a difference is better, worse, or neither.
function judge(column, gain) {
  const isSeen = !Number.isNaN(gain) && Math.abs(gain).toFixed(column.decimals) > 0;
  if (!isSeen) return "";
  return gain * column.sign > 0 ? "better" : "worse";
}

function hint(column) {
  return column.sign > 0 ? "higher is better" : "lower is better";
}
