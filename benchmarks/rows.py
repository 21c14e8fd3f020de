"""What is measured, row by row, and the table of all rows."""

import dataclasses

from console.progress import say


def to_time(seconds):
    """Writes a time with three digits or so: `1.84 s`, `2.31 ms`."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.2f} ms"


def column(title, write):
    """A field of a `Row`: the title of its column, and what writes a value."""
    return dataclasses.field(default=None, metadata={"title": title, "write": write})


@dataclasses.dataclass(frozen=True)
class Row:
    """One thing that was measured; None where a column does not apply."""

    what: str = column("what", str)
    precision: str | None = column("precision", str)
    scale: int | None = column("scale", "x{}".format)
    seconds: float | None = column("time", to_time)
    # 10^12 floating-point operations a second, and as many as a convolution did just
    # before and after it.
    tflops_per_second: float | None = column("TFLOP/s", "{:.3f}".format)
    limit_tflops_per_second: float | None = column("limit", "{:.3f}".format)
    share_of_limit: float | None = column("of limit", "{:.1%}".format)
    # How many times as fast as the same in float32; of other programs, as the model.
    times_float32: float | None = column("vs float32", "{:.2f}x".format)
    peak_memory_gb: float | None = column("memory", "{:.2f} GB".format)
    images_per_second: float | None = column("images/s", "{:.1f}".format)
    # Share of the time spent waiting for data.
    waiting_share: float | None = column("waiting", "{:.2%}".format)
    # How many times as long as the picture in one piece, or as bicubic, it takes.
    times_whole: float | None = column("vs whole", "{:.2f}x".format)
    times_bicubic: float | None = column("vs bicubic", "{:.1f}x".format)
    # In grey levels, from the picture in one piece.
    largest_difference: float | None = column("difference", "{:.1g}".format)
    # How near it comes to the speed of its network alone.
    share_of_network: float | None = column("of network", "{:.1%}".format)
    seconds_per_output_megapixel: float | None = column(
        "s/megapixel out", "{:.2f}".format
    )
    # In dB, and what is lost of it beside float32.
    psnr_y: float | None = column("psnr_y", "{:.3f}".format)
    loss: float | None = column("loss", "{:+.3f}".format)

    def to_json(self):
        """The values that apply, from their names."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    def cells(self):
        """From the titles of the columns that apply to their texts."""
        values = dataclasses.asdict(self)
        return {
            field.metadata["title"]: field.metadata["write"](values[field.name])
            for field in COLUMNS
            if values[field.name] is not None
        }

    def describe(self):
        """The same as one line that needs no header."""
        return "  ".join(
            cell if title in SPEAK_FOR_THEMSELVES else f"{title} {cell}"
            for title, cell in self.cells().items()
        )


COLUMNS = dataclasses.fields(Row)
SPEAK_FOR_THEMSELVES = ("what", "precision", "scale", "time")
LEFT = ("what", "precision")


def tell(rows):
    """Tells each row as it comes; returns a list of them."""
    told = []
    for row in rows:
        told.append(row)
        say(f"  {row.describe()}")
    return told


def to_table(rows):
    """Writes rows under headers, names to the left and numbers to the right.

    Args:
        rows: list of `Row`.

    Returns:
        str: Lines, the first of them the header; without columns that none needs.
    """
    cells = [row.cells() for row in rows]
    columns = []
    for title in (field.metadata["title"] for field in COLUMNS):
        texts = [title, *(row.get(title, "") for row in cells)]
        if any(texts[1:]):
            adjust = str.ljust if title in LEFT else str.rjust
            columns.append([adjust(text, max(map(len, texts))) for text in texts])
    lines = zip(*columns, strict=True)
    return "\n".join("  ".join(line).rstrip() for line in lines)
