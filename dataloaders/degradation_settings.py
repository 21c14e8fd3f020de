"""The strength of degradations: JSON files that ship, and those of users.

`photo` has the published parameters of Real-ESRGAN (Wang et al., ICCVW 2021), and the
additions of `dataloaders.degradations`. `photo_mild` is a good phone's picture sent
through a chat, `photo_strong` a bad picture that was compressed several times. A file
has the keys of `dataloaders/photo.json`, which give all that it leaves out.
"""

import dataclasses
import functools
import json
import math
from pathlib import Path
from typing import Any

from console.errors import InputError
from console.progress import say

BICUBIC = "bicubic"
FOLDER = Path(__file__).parent
BASE = "photo"
# Files beside this one; each names what differs from the base.
PRESETS = (BASE, "photo_mild", "photo_strong")

_KEY = "check"


def _field(check, expected):
    return dataclasses.field(metadata={_KEY: (check, expected)})


def _are_numbers(values, count, least, most):
    """Whether JSON has a list of so many finite numbers within bounds."""
    return (
        isinstance(values, list)
        and len(values) == count
        # Neither true, false nor NaN.
        and all(type(x) in (int, float) and least <= x <= most for x in values)
    )


def _share() -> Any:
    """Makes a field of a probability."""
    return _field(lambda x: _are_numbers([x], 1, 0, 1), "a number from 0 to 1")


def _shares(count: int) -> Any:
    """Makes a field of probabilities that add up to 1."""
    return _field(
        lambda values: (
            _are_numbers(values, count, 0, 1)
            and math.isclose(sum(values), 1, abs_tol=1e-9)
        ),
        f"{count} numbers from 0 to 1 that add up to 1",
    )


def _range(least: float, most: float, is_whole: bool = False) -> Any:
    """Makes a field of the least and the greatest value to draw, within bounds."""
    kind = "whole numbers" if is_whole else "numbers"
    return _field(
        lambda values: (
            _are_numbers(values, 2, least, most)
            and values[0] <= values[1]
            and not (is_whole and any(type(value) is float for value in values))
        ),
        f"two {kind} in ascending order from {least:g} to {most:g}",
    )


@dataclasses.dataclass(frozen=True)
class Stage:
    """One of the two times that a picture is degraded.

    Attributes:
        sinc_probability: Probability that the blur is a sinc filter.
        kernels: Otherwise, the probabilities of an isotropic and an anisotropic
            Gaussian, generalised Gaussian, and plateau, in this order.
        kernel_size: Side of the kernels, in pixels, odd; even bounds lose 1.
        sigma: Standard deviation of the blur, in pixels.
        generalised_beta, plateau_beta: Exponents of the kernels; half of them are
            below 1.
        resize_up_down_keep: Probabilities of enlarging, reducing, and neither.
        resize_factor: Least and greatest factor: of 4 times LR's size in the first
            stage, of LR's size in the second.
        poisson_probability: Probability that the noise is Poisson's, not Gaussian.
        grey_probability: Probability that the noise is grey.
        gaussian_noise: Standard deviation in grey levels.
        poisson_noise: In multiples of the noise of 256 photons in a white pixel.
        sharpen_sigma: Radius of the halos, in pixels.
        sharpen_amount: Strength of the halos.
        webp_probability: Probability that a compression is WebP, not JPEG.
        quality: Quality of JPEG and WebP.
    """

    blur_probability: float = _share()
    sinc_probability: float = _share()
    kernels: tuple[float, ...] = _shares(6)
    kernel_size: tuple[int, int] = _range(3, 51, is_whole=True)
    sigma: tuple[float, float] = _range(0.1, 20)
    generalised_beta: tuple[float, float] = _range(0.1, 10)
    plateau_beta: tuple[float, float] = _range(0.1, 10)
    resize_up_down_keep: tuple[float, ...] = _shares(3)
    resize_factor: tuple[float, float] = _range(0.05, 4)
    noise_probability: float = _share()
    poisson_probability: float = _share()
    grey_probability: float = _share()
    gaussian_noise: tuple[float, float] = _range(0, 100)
    poisson_noise: tuple[float, float] = _range(0, 10)
    sharpen_probability: float = _share()
    sharpen_sigma: tuple[float, float] = _range(0.1, 10)
    sharpen_amount: tuple[float, float] = _range(0, 5)
    compress_probability: float = _share()
    webp_probability: float = _share()
    quality: tuple[int, int] = _range(1, 100, is_whole=True)
    chroma_420_422_444: tuple[float, ...] = _shares(3)


@dataclasses.dataclass(frozen=True)
class Strength:
    """The parameters of a degradation.

    Attributes:
        final_sinc_probability: Probability of a sinc filter before or after the last
            compression.
        clean_probability: Probability that LR is made by MATLAB's imresize alone.
    """

    first: Stage
    second: Stage
    final_sinc_probability: float = _share()
    clean_probability: float = _share()

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object that makes this."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


@functools.lru_cache
def load_strength(name: str) -> Strength:
    """Loads one of `PRESETS`, or a user's `.json` file, and prints it; once for each.

    Raises:
        InputError: The file cannot be read, or a key or a value is invalid.
    """
    if name not in PRESETS and not name.endswith(".json"):
        known = ", ".join((BICUBIC, *PRESETS))
        raise InputError(
            f"--degradation={name}: expected {known}, or the path of a .json file with "
            "keys of dataloaders/photo.json."
        )
    values = _read(FOLDER / f"{BASE}.json", BASE)
    if name != BASE:
        path = FOLDER / f"{name}.json" if name in PRESETS else Path(name)
        _merge(values, _read(path, name), name)
    strength = _make(Strength, values, name)
    lines = [f"  {key}: {json.dumps(value)}" for key, value in values.items()]
    say("\n".join([f"Degradation {name}:", *lines]))
    return strength


def _make(cls, values, name, where=""):
    """Makes a `Strength` or a `Stage` from a JSON object that has all keys."""
    made = {}
    for field in dataclasses.fields(cls):
        value, key = values[field.name], f"{where}{field.name}"
        if field.type is Stage:
            made[field.name] = _make(Stage, value, name, f"{key}.")
            continue
        check, expected = field.metadata[_KEY]
        if not check(value):
            raise InputError(
                f"--degradation={name}: {key} is {json.dumps(value)}; expected "
                f"{expected}."
            )
        made[field.name] = tuple(value) if isinstance(value, list) else value
    return cls(**made)


def _read(path, name):
    """Reads a JSON object."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"--degradation={name}: cannot be read ({error.strerror})."
        ) from None
    except (ValueError, RecursionError) as error:  # Not JSON, or not UTF-8.
        raise InputError(f"--degradation={name}: not a JSON file ({error}).") from None
    if not isinstance(values, dict):
        raise InputError(f"--degradation={name}: expected a JSON object.")
    return values


def _merge(values, given, name, where=""):
    """Replaces values by those of a file, in place."""
    for key, value in given.items():
        if key not in values:
            raise InputError(
                f"--degradation={name}: {where}{key} is unknown; expected some of "
                f"{', '.join(values)}."
            )
        if isinstance(values[key], dict):
            if not isinstance(value, dict):
                raise InputError(
                    f"--degradation={name}: {where}{key} is {json.dumps(value)}; "
                    f"expected an object with some of {', '.join(values[key])}."
                )
            _merge(values[key], value, name, f"{where}{key}.")
        else:
            values[key] = value
