// The metrics as a person reads them, in the order in which they are shown; what is not
// here is not shown. The sign is 1 where more is better.
const predicted = (what) =>
  `Mean score, as people would give it, predicted by a network that was trained on ${what}. It does not look at the truth.`;

const COLUMNS = [
  {
    metric: "psnr_y",
    sign: 1,
    unit: "dB",
    decimals: 3,
    meaning:
      "Peak signal-to-noise ratio on luma: how near the picture is to the truth, pixel by pixel. One more decibel is a squared error of a fifth less. Most papers compare by it.",
  },
  {
    metric: "ssim_y",
    sign: 1,
    decimals: 4,
    meaning:
      "Structural similarity to the truth on luma: whether edges and textures are alike. 1 for equal pictures.",
  },
  {
    metric: "niqe",
    sign: -1,
    decimals: 3,
    meaning:
      "How far the picture's statistics are from those of natural photographs. It does not look at the truth, so a sharp picture can be far from it and have a good value.",
  },
  {
    metric: "aesthetic",
    sign: 1,
    decimals: 3,
    meaning: predicted("AVA, photographs scored for beauty"),
  },
  {
    metric: "subjective",
    sign: 1,
    decimals: 3,
    meaning: predicted("TID2013, pictures scored for quality"),
  },
  {
    metric: "psnr_rgb",
    sign: 1,
    unit: "dB",
    decimals: 3,
    meaning: "As psnr_y, but over red, green and blue, and so mostly somewhat lower.",
  },
  {
    metric: "rmse_y",
    sign: -1,
    unit: "grey levels",
    decimals: 3,
    meaning:
      "Root of the mean squared error on luma. Its average is the PIRM challenge's: the root of the mean of all images' squared errors.",
  },
  {
    metric: "rmse_rgb",
    sign: -1,
    unit: "grey levels",
    decimals: 3,
    meaning: "The same over red, green and blue.",
  },
];

const MINUS = "\u2212";

function formatValue(column, value) {
  if (Number.isNaN(value)) return "\u2013";
  if (!Number.isFinite(value)) return value > 0 ? "\u221e" : `${MINUS}\u221e`;
  return value.toFixed(column.decimals);
}

// A difference with its sign.
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
