"""The size of results: a factor, or a size in pixels that every result gets."""

import dataclasses
import math

from console.errors import InputError
from console.settings import Settings, is_given, option

_MILLION = 1e6


@dataclasses.dataclass(frozen=True)
class SizeSettings(Settings):
    """The size of results; at most one setting is given."""

    scale: float = option(
        4,
        "Upscaling factor, any number from 1 on; 1 makes a picture better but not "
        "larger. A model without this scale enlarges by its next larger scale, and "
        "the result is resized.",
    )
    width: int | None = option(
        None,
        "Width of each result, in pixels, in place of --scale; its height follows.",
    )
    height: int | None = option(
        None,
        "Height of each result, in pixels, in place of --scale; its width follows.",
    )
    longest_side: int | None = option(
        None, "Longer side of each result, in pixels, in place of --scale."
    )
    megapixels: float | None = option(
        None, "Size of each result in millions of pixels, in place of --scale."
    )

    def check(self) -> None:
        """See `Settings.check`."""
        if self.scale < 1:
            raise InputError(
                f"--scale={self.scale:g}: expected a number of at least 1, for "
                "example 2 or 3.5."
            )
        if self.megapixels is not None and self.megapixels <= 0:
            raise InputError(f"--megapixels={self.megapixels:g}: expected more than 0.")
        names = SizeSettings.options()
        given = [f"--{name}" for name in names if is_given(name)]
        if len(given) > 1:
            raise InputError(
                f"{' and '.join(given)} were given; give one of --{', --'.join(names)}."
            )

    def find_wanted(self) -> tuple[str, float]:
        """Returns the name and the value of the setting that decides."""
        wanted = {n: getattr(self, n) for n in SizeSettings.options() if n != "scale"}
        given = [item for item in wanted.items() if item[1] is not None]
        return given[0] if given else ("scale", self.scale)

    def is_factor(self) -> bool:
        """Whether all pictures are enlarged by the same factor."""
        return self.find_wanted()[0] == "scale"

    def tell_size(self) -> str:
        """Returns the flag that decides, as on the command line: `--width=1000`."""
        name, value = self.find_wanted()
        return f"--{name}={value:.15g}"

    def find_scale(self, size: tuple[int, int]) -> float:
        """Returns the factor by which a picture of (height, width) is enlarged.

        It is below 1 for a picture that is larger than wanted, and a Python int if
        `scale` decides and is whole.
        """
        height, width = size
        name, value = self.find_wanted()
        if name == "scale":
            return int(value) if value == int(value) else value
        if name == "megapixels":
            return math.sqrt(value * _MILLION / (height * width))
        sides = {"width": width, "height": height, "longest_side": max(size)}
        return value / sides[name]
