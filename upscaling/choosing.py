"""Chooses a model's stages and the tiles for pictures from the flags."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from console.errors import InputError
from console.progress import say
from console.settings import Settings, option
from upscaling import passes
from upscaling.budget import Tiler
from upscaling.enlarging import Enlarger
from upscaling.sizes import SizeSettings
from upscaling.tiles import Stage

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
class EnlargingSettings(SizeSettings):
    """Settings for enlarging pictures."""

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
    seamless: bool = option(
        False,
        "The pictures are textures that repeat: each border continues at the opposite "
        "border, and the results repeat without seams, too.",
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
        "is free. A picture that needs more is upscaled with a warning; app.py refuses "
        "it.",
        least=1.0,
    )

    def tell_way(self, weights: str, *others: Settings) -> str:
        """Describes in one line how results are made, to compare them between runs.

        Names the weights, the size, and each flag of these and other settings that is
        not at its default.
        """
        # With full margins, results do not depend on the size of tiles.
        is_exact = self.tile_overlap == AUTO
        left_out = {
            *("restore_path", "exact_path"),
            *SizeSettings.options(),
            *(("tile_size", "memory_limit") if is_exact else ()),
        }
        changed: dict[str, str] = {}
        for settings in (self, *others):
            changed |= settings.list_changed()
        told = [changed[name] for name in sorted(set(changed) - left_out)]
        return " ".join([weights, self.tell_size(), *told])

    def make_enlargers(self, model: UpscalingModel) -> "Enlargers":
        """Makes `Enlargers` with these settings.

        Raises:
            InputError: The model does not support the scale.
        """
        wrappers = [passes.make_ensemble] if self.self_ensemble else []
        if self.all_passes:
            make, stages = _find_passes(model)
            enlargers = _make_single(self, stages, [*wrappers, make])
        elif self._selects_pass(model):
            whole = dataclasses.replace(self, scale=passes.SCALE)
            enlargers = _make_single(whole, model.stages(int(self.scale)), wrappers)
            if self.scale != passes.SCALE:
                say(
                    f"{self.tell_size()} selects a pass of 4PP-EUSR, which enlarges by "
                    f"{passes.SCALE}."
                )
        else:
            factors, find_stages = model.find_scales(), functools.cache(model.stages)
            limit = _tell_scales(model, factors)
            enlargers = Enlargers(self, factors, limit, find_stages, wrappers)
        if self.is_factor():
            enlargers.check_factor()
        return enlargers

    def _selects_pass(self, model):
        """Whether --scale is the number of a pass instead of a factor."""
        is_number = self.is_factor() and self.scale in passes.SCALES
        return is_number and model.has_passes()

    def make_tiler(
        self, share: float = 1.0, is_strict: bool = False, base: int | None = None
    ) -> Tiler:
        """Makes a `Tiler` from these settings and the free memory."""
        chosen = (self.tile_size, self.tile_overlap)
        size, overlap = (n if isinstance(n, int) else None for n in chosen)
        limit = self.memory_limit * GIGABYTE
        return Tiler(size, overlap, limit, share, base, is_strict)


@dataclasses.dataclass(frozen=True)
class Enlargers:
    """Makes the `Enlarger` of each picture, by the picture's size.

    Attributes:
        sizes: The size of results, and whether they are seamless.
        factors: Factors by which the network enlarges.
        limit: Names the factors in a message: `"supports x2 and x4"`.
        find_stages: From one of the factors to the stages.
        wrappers: Averages of the stages; see `_arrange`.
    """

    sizes: EnlargingSettings
    factors: Sequence[int]
    limit: str
    find_stages: Callable[[int], Any]
    wrappers: Sequence[Callable[..., list[Stage]]]

    def choose(self, size: tuple[int, int]) -> Enlarger:
        """Makes the `Enlarger` of a picture of (height, width).

        Raises:
            InputError: No factor of the network is large enough.
        """
        scale = self.sizes.find_scale(size)
        enough = [factor for factor in self.factors if factor >= scale]
        if not enough:
            by = "" if self.sizes.is_factor() else f"enlarges it by {scale:.4g}, but "
            raise InputError(f"{self.sizes.tell_size()}: {by}the model {self.limit}.")
        stages = self.find_stages(min(enough))
        return Enlarger(
            lambda tiling: _arrange(self.wrappers, stages, tiling),
            min(enough),
            scale,
            self.sizes.seamless,
        )

    def check_factor(self) -> None:
        """Checks the factor of all pictures, and says if results are resized."""
        any_size = (1, 1)
        enlarger = self.choose(any_size)
        if enlarger.scale < enlarger.factor:
            say(
                f"{self.sizes.tell_size()}: pictures are enlarged by "
                f"{enlarger.factor}, then resized."
            )

    def describe(self) -> str:
        """Names the factor or the size of results, after "Upscaled 3 pictures"."""
        told = self.sizes.tell_size()
        if self.sizes.is_factor():
            return told.replace("--scale=", "by ")
        return f"to {told}"


def _make_single(sizes, stages, wrappers):
    """Makes the `Enlargers` of stages that enlarge as the passes of 4PP-EUSR do."""
    limit = f"enlarges by {passes.SCALE} at most"
    return Enlargers(sizes, [passes.SCALE], limit, lambda _: stages, wrappers)


def _tell_scales(model, scales):
    """Names the scales of a model in a message."""
    named = " and ".join(f"x{each}" for each in scales) or "no known scale"
    what = "was trained at" if getattr(model, "learned_scales", ()) else "supports"
    return f"{what} {named}"


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
