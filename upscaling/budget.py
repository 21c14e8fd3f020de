"""Chooses each picture's tiles, by the memory limit."""

from pathlib import Path

from console.errors import InputError
from console.machine import free_memory, used_memory
from console.progress import to_size, warn
from imaging.pictures import Picture
from upscaling.enlarging import Enlarger
from upscaling.tiles import MEMORY, Tiling

# Share of the free memory that is used; other programs need some, too.
_SHARE = 0.7
# Bytes that TensorFlow and other libraries allocate after a model is loaded.
_REST = 300_000_000
# Least bytes for tiles; smaller tiles are nearly all margin.
_LEAST = 250_000_000
# Share of the total for a picture and its result that are read ahead or written late.
_LIGHT = 1 / 16


class Tiler:
    """Chooses tiles by the flags and the memory of the process."""

    def __init__(
        self,
        size: int | None = None,
        overlap: int | None = None,
        limit: float | None = None,
        share: float = 1.0,
        base: int | None = None,
        is_strict: bool = False,
    ):
        """Reads how much memory is free.

        Args:
            size: See `Tiling`.
            overlap: See `Tiling`.
            limit: Most bytes for the whole process; None for the free memory.
            share: Share of the free memory that is for this process.
            base: Bytes that the process used before its first picture; None if this is
                its first. TensorFlow keeps the memory of tiles for the next ones.
            is_strict: Whether a picture that needs more memory is refused, in place of
                a warning.
        """
        self.size, self.overlap, self.is_strict = size, overlap, is_strict
        free, used = free_memory(), used_memory()
        taken = (base or used or 0) + _REST
        there = MEMORY + taken if free is None else free * _SHARE * share + (used or 0)
        self.total = min(there, limit or there)
        self.room = self.total * (1 - 2 * _LIGHT) - taken

    def tile(self, enlarger: Enlarger, picture: Picture, source: Path | str) -> Tiling:
        """Chooses the tiles of a picture; warns if it exceeds the memory limit.

        Raises:
            InputError: `is_strict`, and the picture exceeds the limit.
        """
        held = enlarger.count_bytes(picture)
        if not self.has_room(held):
            found = (
                f"{source}: the picture and its result need {to_size(held)}, too much "
                f"for the memory limit of {to_size(int(self.total))};"
            )
            if self.is_strict:
                raise InputError(f"{found} choose a smaller size.")
            warn(f"{found} raise --memory_limit if more is free.")
        return Tiling(self.size, self.overlap, self.find_tiles(held))

    def find_tiles(self, held: float) -> float:
        """Returns the bytes for tiles beside a picture and its result."""
        return max(_LEAST, self.room - held)

    def has_room(self, held: float) -> bool:
        """Whether tiles of a useful size fit beside `held` bytes."""
        return self.room - held >= _LEAST

    def is_light(self, held: float) -> bool:
        """Whether `held` bytes may be kept while another picture is upscaled."""
        return held <= _LIGHT * self.total
