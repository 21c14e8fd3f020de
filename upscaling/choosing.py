"""Chooses, as flags say, what of a model pictures are enlarged with, and how."""

import dataclasses

from absl import flags

from console.errors import InputError
from console.flags import define_count, define_float
from console.progress import say, to_size, warn
from upscaling import passes
from upscaling.budget import Budget
from upscaling.enlarging import Enlarger
from upscaling.tiles import Tiling, find_scale

AUTO = "auto"
# What a model may be able to do.
CANDIDATES = (2, 3, 4, 8, 16)
GIGABYTE = 1e9
# Flags that say how tiles are cut, on which no result depends if each is read as far as
# the network sees.
TILING = ("tile_size", "memory_limit")


def define_flags():
    """Declares how pictures are enlarged."""
    define_float(
        "scale",
        4,
        "By how much to enlarge: 2, 4, 8, or any other number above 1, for which the "
        "picture is enlarged by the next of these and then resized.",
    )
    flags.DEFINE_bool(
        "all_passes",
        False,
        "Average the three ways in which 4PP-EUSR upscales by 4; the model must do x2, "
        "x4 and x8. Takes about seven times as long.",
    )
    flags.DEFINE_bool(
        "self_ensemble",
        False,
        "Average what the model makes of the picture turned and mirrored in eight "
        "ways: a little more PSNR for eight times the time.",
    )
    define_count(
        "tile_size",
        AUTO,
        "Side of the tiles that large pictures are cut into, in pixels; auto chooses "
        "one by the free memory. The result does not depend on it.",
        word=AUTO,
    )
    define_count(
        "tile_overlap",
        AUTO,
        "Pixels by which tiles are read beyond what is kept of them; auto takes what "
        "the network can see, so that no seam can be. Less is faster and not exact: "
        "with a tenth to a fifth of that some pixels near seams move by a grey level, "
        "with 0 seams are plain to see.",
        least=0,
        word=AUTO,
    )
    define_float(
        "memory_limit",
        4.0,
        "Memory of the whole program, in GB, that tiles are chosen by; less if less is "
        "free. A picture and its result need what they need, with a warning.",
        lower_bound=1.0,
    )


def tell_way(weights, *names):
    """Says in one line how results are made, to tell those of another run.

    Args:
        weights: What they are made with.
        *names: Of flags beside those of `define_flags` that change a result.

    Returns:
        str: The weights, --scale, and each other flag that is not at its default.
    """
    left_out = {"scale", *(TILING if flags.FLAGS.tile_overlap == AUTO else ())}
    own = (flag.name for flag in flags.FLAGS.flags_by_module_dict()[__name__])
    changed = [
        flags.FLAGS[name].serialize()
        for name in sorted({*own, *names} - left_out)
        if flags.FLAGS[name].value != flags.FLAGS[name].default
    ]
    return " ".join([weights, f"--scale={flags.FLAGS.scale:.15g}", *changed])


def enlarger_from_flags(model):
    """Makes what the flags ask for.

    Args:
        model: A `models.base.Model` or a `frozen.upscaler.Upscaler`.

    Returns:
        upscaling.enlarging.Enlarger.

    Raises:
        InputError: The model does not enlarge by so much.
    """
    values = flags.FLAGS
    scale = int(values.scale) if values.scale == int(values.scale) else values.scale
    if scale <= 1:
        raise InputError(
            f"--scale={scale}: expected more than 1, for example 2 or 3.5."
        )
    kinds = [passes.make_ensemble] if values.self_ensemble else []
    if values.all_passes:
        make, stages = _find_passes(model)
        kinds, factor = [*kinds, make], passes.SCALE
    else:
        asked = _choose_scale(model, scale)
        stages = model.stages(asked)
        factor = find_scale(stages)
        if asked != factor:
            say(f"--scale={scale} is a pass of 4PP-EUSR here: it enlarges by {factor}.")
            scale = factor
    if scale > factor:
        raise InputError(f"--scale={scale}: the model enlarges by {factor} at most.")
    if scale < factor:
        say(f"--scale={scale}: pictures are enlarged by {factor}, then resized.")
    return Enlarger(lambda tiling: _arrange(kinds, stages, tiling), factor, scale)


def _choose_scale(model, scale):
    """The scale to ask a model for: the next that it does."""
    if model.has_passes() and scale in passes.SCALES:
        return scale
    does = model.find_scales(CANDIDATES)
    enough = [each for each in does if each >= scale]
    if not enough:
        named = " and ".join(f"x{each}" for each in does) or "no scale that is known"
        what = "was trained at" if getattr(model, "learned_scales", ()) else "does"
        raise InputError(f"--scale={scale}: the model {what} {named}.")
    return min(enough)


def _find_passes(model):
    """How all passes are taken, and the stages of each.

    Raises:
        InputError: Not all can be taken with the model.
    """
    does = model.find_scales(passes.SCALES)
    if model.has_passes():
        make = passes.make_average
    elif set(passes.SCALES) <= set(does):
        make = passes.make_all_passes
    else:
        does = " and ".join(f"x{scale}" for scale in does) or "none of them"
        raise InputError(
            f"--all_passes needs x2, x4 and x8, and the model does {does}. Leave it "
            "out, or take a network that was trained at all three, frozen with "
            "--scales=2,4,8."
        )
    return make, {scale: model.stages(scale) for scale in passes.SCALES}


def _arrange(kinds, stages, tiling):
    """Puts averages around stages, the outermost first; see `Enlarger.arrange`."""
    if not kinds:
        return stages, tiling
    outer, inner = passes.split_memory(tiling)
    return kinds[0](*_arrange(kinds[1:], stages, inner)), outer


@dataclasses.dataclass(frozen=True)
class Tiler:
    """How each picture is cut, by the flags and the memory.

    Attributes:
        size: See `Tiling`.
        overlap: Likewise.
        budget: `Budget`.
    """

    size: int | None
    overlap: int | None
    budget: Budget

    @classmethod
    def from_flags(cls):
        """Takes the values of the flags and looks at what is free."""
        values = flags.FLAGS
        chosen = (values.tile_size, values.tile_overlap)
        size, overlap = (None if value == AUTO else value for value in chosen)
        return cls(size, overlap, Budget(values.memory_limit * GIGABYTE))

    def tile(self, enlarger, picture, source):
        """Chooses the `Tiling` of a picture; warns where it takes more than it may.

        Args:
            enlarger: `Enlarger`.
            picture: `imaging.pictures.Picture`.
            source: Its file, for the warning.
        """
        held = enlarger.count_bytes(picture)
        if not self.budget.has_room(held):
            warn(
                f"{source}: it and its result need {to_size(held)}, more than the "
                f"memory has room for ({to_size(int(self.budget.total))} in all); "
                "--memory_limit gives more, if more is free."
            )
        return Tiling(self.size, self.overlap, self.budget.find_tiles(held))
