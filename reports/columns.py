"""What the numbers of a report are called and mean."""

import dataclasses
import math

BICUBIC = "bicubic"


@dataclasses.dataclass(frozen=True)
class Column:
    """One metric as a person reads it.

    Attributes:
        metric: Its name, as in all reports.
        sign: 1 where more is better, -1 where less is.
        meaning: One or two sentences for a newcomer.
        unit: Short; empty for none.
        decimals: How many are shown.
    """

    metric: str
    sign: int
    meaning: str
    unit: str = ""
    decimals: int = 3

    @property
    def hint(self):
        """Which way is better, a str."""
        return "higher is better" if self.sign > 0 else "lower is better"

    def format(self, value):
        """A value as it is shown, a str; a dash for none."""
        return format_number(value, self.decimals)

    def format_gain(self, gain):
        """A difference with its sign, a str."""
        text = format_number(abs(gain), self.decimals)
        if not math.isfinite(gain) or float(text) == 0:
            return text
        return f"{'+' if gain > 0 else MINUS}{text}"

    def judge(self, gain):
        """Whether a difference is `better`, `worse`, or neither, an empty str."""
        if math.isnan(gain) or round(gain, self.decimals) == 0:
            return ""
        return "better" if gain * self.sign > 0 else "worse"


MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"

_SCORE = (
    "Mean score, as people would give it, predicted by a network that was trained on "
    "{}. It does not look at the truth."
)
# In the order in which a report shows them; what is not here is not shown.
COLUMNS = (
    Column(
        "psnr_y",
        1,
        "Peak signal-to-noise ratio on luma: how near the picture is to the truth, "
        "pixel by pixel. One more decibel is a squared error of a fifth less. Most "
        "papers compare by it.",
        "dB",
    ),
    Column(
        "ssim_y",
        1,
        "Structural similarity to the truth on luma: whether edges and textures are "
        "alike. 1 for equal pictures.",
        decimals=4,
    ),
    Column(
        "niqe",
        -1,
        "How far the picture's statistics are from those of natural photographs. It "
        "does not look at the truth, so a sharp picture can be far from it and have a "
        "good value.",
    ),
    Column("aesthetic", 1, _SCORE.format("AVA, photographs scored for beauty")),
    Column("subjective", 1, _SCORE.format("TID2013, pictures scored for quality")),
    Column(
        "psnr_rgb",
        1,
        "As psnr_y, but over red, green and blue, and so mostly somewhat lower.",
        "dB",
    ),
    Column(
        "rmse_y",
        -1,
        "Root of the mean squared error on luma. Its average is the PIRM challenge's: "
        "the root of the mean of all images' squared errors.",
        "grey levels",
    ),
    Column("rmse_rgb", -1, "The same over red, green and blue.", "grey levels"),
)


def list_columns(values):
    """The columns of what was measured.

    Args:
        values: From a metric's name to its value, of any one image.

    Returns:
        list of Column, in the order in which they are shown.
    """
    return [column for column in COLUMNS if column.metric in values]


def format_number(value, decimals):
    """A number as it is shown, a str."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else f"{MINUS}\N{INFINITY}"
    return f"{value:.{decimals}f}"
