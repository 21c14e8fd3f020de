"""Upscales by 4 in the three ways that 4PP-EUSR is trained in, and averages them."""

from imaging.imresize import imresize
from imaging.tiles import count_tiles, upscale_image

SCALE = 4
# Scales that the three ways need: twice by 2, by 4, by 8 and halved.
SCALES = (2, 4, 8)


def upscale_by_all_passes(stages, image, tile_size=0, after_tile=None):
    """Takes a picture through all passes.

    Args:
        stages: From each of `SCALES` to a list of `imaging.tiles.Stage`.
        image: uint8 or float (H, W, 3), RGB in [0, 255].
        tile_size: See `imaging.tiles.upscale_image`.
        after_tile: Called after each tile, to show progress.

    Returns:
        float32 (H * 4, W * 4, 3), the mean of the three, neither rounded nor clipped.
    """

    def upscale(picture, scale):
        return upscale_image(stages[scale], picture, tile_size, after_tile=after_tile)

    total = upscale(upscale(image, 2), 2)
    total += upscale(image, 4)
    total += imresize(upscale(image, 8), 0.5)
    total /= len(SCALES)
    return total


def average_passes(stages, image, tile_size=0, after_tile=None):
    """The same of a network that takes each pass, with all that belongs to it, itself.

    Args:
        stages: From each of `SCALES`, which chooses the pass, to a list of
            `imaging.tiles.Stage` that enlarges by 4.
        image: See `upscale_by_all_passes`.
        tile_size: Likewise.
        after_tile: Likewise.

    Returns:
        See `upscale_by_all_passes`.
    """
    total = 0.0
    for some in stages.values():
        total += upscale_image(some, image, tile_size, after_tile=after_tile)
    total /= len(stages)
    return total


def count_tiles_to_average(stages, size, tile_size=0):
    """How many tiles `average_passes` runs for a picture of (height, width)."""
    return sum(count_tiles(some, size, tile_size) for some in stages.values())


def count_tiles_of_all_passes(stages, size, tile_size=0):
    """How many tiles `upscale_by_all_passes` runs for a picture of (height, width)."""
    twice = [length * 2 for length in size[:2]]
    passes = [(stages[scale], size) for scale in SCALES] + [(stages[2], twice)]
    return sum(count_tiles(some, one, tile_size) for some, one in passes)
