"""Rows of measurements, and the table of all rows."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from console.progress import say


def column(title: str, form: str = "{}") -> Any:
    """Makes a field of a `Row`, with its column's title and the format of values."""
    return dataclasses.field(default=None, metadata={"title": title, "form": form})


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement; None in columns that do not apply."""

    what: str = column("what")
    scale: int | None = column("scale", "x{}")
    seconds: float | None = column("time", "{:.4g} s")
    # Relative to the first of the rows that were measured in turn.
    relative_speed: float | None = column("speed", "{:.1%}")
    # 10^12 floating-point operations per second, and the limit measured beside it.
    tflops_per_second: float | None = column("TFLOP/s", "{:.3f}")
    limit_tflops_per_second: float | None = column("limit", "{:.3f}")
    share_of_limit: float | None = column("of limit", "{:.1%}")
    peak_memory_gb: float | None = column("memory", "{:.2f} GB")
    images_per_second: float | None = column("images/s", "{:.1f}")
    # Share of the time spent waiting for data.
    waiting_share: float | None = column("waiting", "{:.2%}")
    # Largest difference from the result without tiles, in grey levels.
    largest_difference: float | None = column("difference", "{:.1g}")
    seconds_per_output_megapixel: float | None = column("s/megapixel out", "{:.2f}")
    # In dB, and the loss beside float32.
    psnr_y: float | None = column("psnr_y", "{:.3f}")
    loss: float | None = column("loss", "{:+.3f}")

    def to_json(self) -> dict[str, Any]:
        """Returns the values that apply, by their names."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    def cells(self) -> dict[str, str]:
        """Returns the formatted values that apply, by the titles of their columns."""
        fields = {field.name: field.metadata for field in dataclasses.fields(self)}
        return {
            fields[name]["title"]: fields[name]["form"].format(value)
            for name, value in self.to_json().items()
        }


def tell(rows: Iterable[Row]) -> list[Row]:
    """Prints each row when it is measured; returns all rows."""
    told = []
    for row in rows:
        told.append(row)
        what, *others = row.cells().items()
        say("  ".join([f"  {what[1]}", *(f"{name} {cell}" for name, cell in others)]))
    return told


def to_table(rows: Sequence[Row]) -> str:
    """Formats rows as a table, with a header and without empty columns."""
    cells = [row.cells() for row in rows]
    titles = [field.metadata["title"] for field in dataclasses.fields(Row)]
    titles = [title for title in titles if any(title in row for row in cells)]
    lines = [titles, *([row.get(title, "") for title in titles] for row in cells)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([what.ljust(widths[0]), *map(str.rjust, others, widths[1:])]).rstrip()
        for what, *others in lines
    )
