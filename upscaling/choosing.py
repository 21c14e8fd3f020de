"""Chooses a model's stages and the tiles for pictures from the flags."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from console.errors import InputError
from console.progress import say, to_size, warn
from console.settings import Settings, option
from imaging.pictures import Picture
from upscaling import passes
from upscaling.budget import Budget
from upscaling.enlarging import Enlarger
from upscaling.tiles import Stage, Tiling, find_scale

AUTO = "auto"
GIGABYTE = 1e9


class UpscalingModel(Protocol):
    """A model or a frozen file that enlarges pictures."""

    def find_scales(self) -> Sequence[int]:
        """Lists the scales to use it at."""

    def has_passes(self) -> bool:
        """Whether its scale selects a pass of 4PP-EUSR."""

    def stages(self, scale: int) -> list[Stage]:
        """Returns the stages for one scale."""


@dataclasses.dataclass(frozen=True)
class EnlargingSettings(Settings):
    """Settings for enlarging pictures."""

    scale: float = option(
        4,
        "Upscaling factor, any number above 1. A model without this scale enlarges by "
        "its next larger scale, and the result is resized.",
    )
    all_passes: bool = option(
        False,
        "Average the three passes by which 4PP-EUSR upscales by 4; needs a model with "
        "x2, x4 and x8. Takes about seven times as long.",
    )
    self_ensemble: bool = option(
        False,
        "Average the results for the eight flips and rotations of the picture: "
        "slightly higher PSNR, eight times the time.",
    )
    tile_size: int | str = option(
        AUTO,
        "Side of the tiles that large pictures are cut into, in pixels; auto chooses "
        "it by the free memory. The result does not depend on it.",
        word=AUTO,
    )
    tile_overlap: int | str = option(
        AUTO,
        "Margin of the tiles, in pixels; auto uses the receptive radius of the "
        "network, which makes the result exact. Less is faster but not exact: with a "
        "tenth to a fifth of the radius some pixels near seams change by a grey level, "
        "with 0 seams are visible.",
        least=0,
        word=AUTO,
    )
    memory_limit: float = option(
        4.0,
        "Memory of the whole program, in GB, by which tiles are chosen; less if less "
        "is free. A picture that needs more is upscaled with a warning.",
        least=1.0,
    )

    def check(self) -> None:
        """See `Settings.check`."""
        if self.scale <= 1:
            raise InputError(
                f"--scale={self._whole_scale}: expected a number above 1, for example "
                "2 or 3.5."
            )

    @property
    def _whole_scale(self) -> float:
        """The scale; a Python int if it is whole."""
        return int(self.scale) if self.scale == int(self.scale) else self.scale

    def tell_way(self, weights: str, *others: Settings) -> str:
        """Describes in one line how results are made, to compare them between runs.

        Args:
            weights: Name of the weights.
            *others: Other settings that change a result.

        Returns:
            The weights, --scale, and each other flag that is not at its default.
        """
        # With full margins, results do not depend on the size of tiles.
        is_exact = self.tile_overlap == AUTO
        left_out = {
            "scale",
            "restore_path",
            *(("tile_size", "memory_limit") if is_exact else ()),
        }
        changed: dict[str, str] = {}
        for settings in (self, *others):
            changed |= settings.list_changed()
        told = [changed[name] for name in sorted(set(changed) - left_out)]
        return " ".join([weights, f"--scale={self.scale:.15g}", *told])

    def make_enlarger(self, model: UpscalingModel) -> Enlarger:
        """Makes an `Enlarger` with these settings.

        Args:
            model: The model, for example a `frozen.upscaler.Upscaler`.

        Raises:
            InputError: The model does not support the scale.
        """
        scale = self._whole_scale
        wrappers = [passes.make_ensemble] if self.self_ensemble else []
        if self.all_passes:
            make, stages = _find_passes(model)
            wrappers, factor = [*wrappers, make], passes.SCALE
        else:
            asked = _choose_scale(model, scale)
            stages = model.stages(asked)
            factor = find_scale(stages)
            if asked != factor:
                say(
                    f"--scale={scale} selects a pass of 4PP-EUSR, which enlarges by "
                    f"{factor}."
                )
                scale = factor
        if scale > factor:
            raise InputError(
                f"--scale={scale}: the model enlarges by {factor} at most."
            )
        if scale < factor:
            say(f"--scale={scale}: pictures are enlarged by {factor}, then resized.")
        return Enlarger(
            lambda tiling: _arrange(wrappers, stages, tiling), factor, scale
        )

    def make_tiler(self) -> "Tiler":
        """Makes a `Tiler` from these settings and the free memory."""
        chosen = (self.tile_size, self.tile_overlap)
        size, overlap = (n if isinstance(n, int) else None for n in chosen)
        return Tiler(size, overlap, Budget(self.memory_limit * GIGABYTE))


def _choose_scale(model, scale):
    """Returns the model's smallest scale that is large enough."""
    if model.has_passes() and scale in passes.SCALES:
        return scale
    does = model.find_scales()
    enough = [each for each in does if each >= scale]
    if not enough:
        named = " and ".join(f"x{each}" for each in does) or "no known scale"
        what = "was trained at" if getattr(model, "learned_scales", ()) else "supports"
        raise InputError(f"--scale={scale}: the model {what} {named}.")
    return min(enough)


def _find_passes(model):
    """Finds the function that averages all passes, and the stages of each.

    Raises:
        InputError: The model does not support all passes.
    """
    does = model.find_scales()
    if model.has_passes():
        make = passes.make_average
    elif set(passes.SCALES) <= set(does):
        make = passes.make_all_passes
    else:
        does = " and ".join(f"x{scale}" for scale in does) or "none of them"
        raise InputError(
            f"--all_passes needs x2, x4 and x8; the model supports {does}. Leave it "
            "out, or use a network that was trained at all three and frozen with "
            "--scales=2,4,8."
        )
    return make, {scale: model.stages(scale) for scale in passes.SCALES}


def _arrange(wrappers, stages, tiling):
    """Wraps stages in averages, the outermost first; see `Enlarger.arrange`."""
    if not wrappers:
        return stages, tiling
    outer, inner = passes.split_memory(tiling)
    return wrappers[0](*_arrange(wrappers[1:], stages, inner)), outer


@dataclasses.dataclass(frozen=True)
class Tiler:
    """Chooses each picture's tiles from the flags and the memory.

    Attributes:
        size: See `Tiling`.
        overlap: See `Tiling`.
        budget: The memory.
    """

    size: int | None
    overlap: int | None
    budget: Budget

    def tile(self, enlarger: Enlarger, picture: Picture, source: Path | str) -> Tiling:
        """Chooses the tiles of a picture; warns if it exceeds the memory limit.

        Args:
            enlarger: Enlarges the picture.
            picture: The picture.
            source: The picture's file, for the warning.
        """
        held = enlarger.count_bytes(picture)
        if not self.budget.has_room(held):
            warn(
                f"{source}: the picture and its result need {to_size(held)}, too much "
                f"for the memory limit of {to_size(int(self.budget.total))}; raise "
                "--memory_limit if more is free."
            )
        return Tiling(self.size, self.overlap, self.budget.find_tiles(held))
