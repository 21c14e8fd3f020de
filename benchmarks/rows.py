"""Rows of measurements, and the table of all rows."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from console.progress import say


def to_time(seconds: float) -> str:
    """Formats a time with about three digits: `1.84 s`, `2.31 ms`."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.2f} ms"


def column(title: str, write: Callable[[Any], str]) -> Any:
    """Makes a field of a `Row`, with its column's title and a formatter of values."""
    return dataclasses.field(default=None, metadata={"title": title, "write": write})


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement; None in columns that do not apply."""

    what: str = column("what", str)
    precision: str | None = column("precision", str)
    scale: int | None = column("scale", "x{}".format)
    seconds: float | None = column("time", to_time)
    # 10^12 floating-point operations per second, and the limit measured beside it.
    tflops_per_second: float | None = column("TFLOP/s", "{:.3f}".format)
    limit_tflops_per_second: float | None = column("limit", "{:.3f}".format)
    share_of_limit: float | None = column("of limit", "{:.1%}".format)
    # Speed relative to float32; of other programs, relative to the model in float32.
    times_float32: float | None = column("vs float32", "{:.2f}x".format)
    peak_memory_gb: float | None = column("memory", "{:.2f} GB".format)
    images_per_second: float | None = column("images/s", "{:.1f}".format)
    batches_per_second: float | None = column("batches/s", "{:.1f}".format)
    # Share of the time spent waiting for data.
    waiting_share: float | None = column("waiting", "{:.2%}".format)
    # Time relative to the picture without tiles, and to bicubic.
    times_whole: float | None = column("vs whole", "{:.2f}x".format)
    times_bicubic: float | None = column("vs bicubic", "{:.1f}x".format)
    # Largest difference from the result without tiles, in grey levels.
    largest_difference: float | None = column("difference", "{:.1g}".format)
    # Speed relative to the network alone.
    share_of_network: float | None = column("of network", "{:.1%}".format)
    seconds_per_output_megapixel: float | None = column(
        "s/megapixel out", "{:.2f}".format
    )
    # In dB, and the loss beside float32.
    psnr_y: float | None = column("psnr_y", "{:.3f}".format)
    loss: float | None = column("loss", "{:+.3f}".format)

    def to_json(self) -> dict[str, Any]:
        """Returns the values that apply, by their names."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    def cells(self) -> dict[str, str]:
        """Returns the formatted values that apply, by the titles of their columns."""
        values = dataclasses.asdict(self)
        return {
            field.metadata["title"]: field.metadata["write"](values[field.name])
            for field in COLUMNS
            if values[field.name] is not None
        }

    def describe(self) -> str:
        """Formats the row as one line that needs no header."""
        return "  ".join(
            cell if title in WITHOUT_TITLE else f"{title} {cell}"
            for title, cell in self.cells().items()
        )


COLUMNS = dataclasses.fields(Row)
WITHOUT_TITLE = ("what", "precision", "scale", "time")
LEFT = ("what", "precision")


def tell(rows: Iterable[Row]) -> list[Row]:
    """Prints each row when it is measured; returns all rows."""
    told = []
    for row in rows:
        told.append(row)
        say(f"  {row.describe()}")
    return told


def to_table(rows: Sequence[Row]) -> str:
    """Formats rows as a table, with a header and without empty columns.

    Texts are aligned to the left, numbers to the right.
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
