"""What is measured, row by row, and the table of all rows."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """One thing that was measured; None where a column does not apply.

    Attributes:
        what: Its name, for a person.
        precision: `float32` or `bfloat16`.
        scale: Upscaling factor.
        seconds: What it takes.
        tflops_per_second: How many 10^12 floating-point operations a second it does.
        limit_tflops_per_second: How many a convolution did just before and after it.
        share_of_limit: The first of the two by the second.
        times_float32: How many times as fast as the same in float32 it is; of another
            program, as the model here.
        peak_memory_gb: 10^9 bytes at most in use, as `benchmarks/peak.py` says.
        images_per_second: How many images it does in a second.
        waiting_share: Share of the time spent waiting, in [0, 1].
        times_whole: How many times as long as the picture in one piece it takes.
        times_bicubic: How many times as long as bicubic it takes.
        largest_difference: From that, in grey levels.
        share_of_network: How near it comes to the speed of its network alone.
        seconds_per_output_megapixel: Of upscaling, per 10^6 pixels of the result.
    """

    what: str
    precision: str | None = None
    scale: int | None = None
    seconds: float | None = None
    tflops_per_second: float | None = None
    limit_tflops_per_second: float | None = None
    share_of_limit: float | None = None
    times_float32: float | None = None
    peak_memory_gb: float | None = None
    images_per_second: float | None = None
    waiting_share: float | None = None
    times_whole: float | None = None
    times_bicubic: float | None = None
    largest_difference: float | None = None
    share_of_network: float | None = None
    seconds_per_output_megapixel: float | None = None

    def to_json(self):
        """The values that apply, from their names."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    def cells(self):
        """The texts of the table's columns, empty where one does not apply."""
        values = dataclasses.asdict(self)
        return [
            "" if values[name] is None else write(values[name])
            for name, (_, write) in COLUMNS.items()
        ]

    def describe(self):
        """The same as one line that needs no header."""
        return "  ".join(
            f"{title} {cell}" if title in NEED_TITLES else cell
            for (title, _), cell in zip(COLUMNS.values(), self.cells(), strict=True)
            if cell
        )


def to_time(seconds):
    """Writes a time with three digits or so: `1.84 s`, `2.31 ms`."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.2f} ms"


# From an attribute to the column's title and to what writes a value.
COLUMNS = {
    "what": ("what", str),
    "precision": ("precision", str),
    "scale": ("scale", "x{}".format),
    "seconds": ("time", to_time),
    "tflops_per_second": ("TFLOP/s", "{:.3f}".format),
    "limit_tflops_per_second": ("limit", "{:.3f}".format),
    "share_of_limit": ("of limit", "{:.1%}".format),
    "times_float32": ("vs float32", "{:.2f}x".format),
    "peak_memory_gb": ("memory", "{:.2f} GB".format),
    "images_per_second": ("images/s", "{:.1f}".format),
    "waiting_share": ("waiting", "{:.2%}".format),
    "times_whole": ("vs whole", "{:.2f}x".format),
    "times_bicubic": ("vs bicubic", "{:.1f}x".format),
    "largest_difference": ("difference", "{:.1g}".format),
    "share_of_network": ("of network", "{:.1%}".format),
    "seconds_per_output_megapixel": ("s/megapixel out", "{:.2f}".format),
}
NEED_TITLES = {
    "images/s",
    "TFLOP/s",
    "limit",
    "of limit",
    "vs float32",
    "memory",
    "waiting",
    "vs whole",
    "vs bicubic",
    "difference",
    "of network",
    "s/megapixel out",
}


def to_table(rows):
    """Writes rows under headers, names to the left and numbers to the right.

    Args:
        rows: list of `Row`.

    Returns:
        str: Lines, the first of them the header; without columns that none needs.
    """
    columns = zip(*(row.cells() for row in rows), strict=True)
    titles = (title for title, _ in COLUMNS.values())
    used = [
        (title, *cells)
        for title, cells in zip(titles, columns, strict=True)
        if any(cells)
    ]
    return align(list(zip(*used, strict=True)), {"what", "precision"})


def align(lines, left=()):
    """Makes columns of equal width.

    Args:
        lines: Sequences of texts, all of one length; the first holds the titles.
        left: Titles of the columns that stand to the left; the others to the right.

    Returns:
        str: One line for each.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if title in left else cell.rjust(width)
            for title, cell, width in zip(lines[0], line, widths, strict=True)
        ).rstrip()
        for line in lines
    )
