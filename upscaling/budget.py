"""The memory limit for upscaling pictures."""

from console.machine import free_memory, used_memory
from upscaling.tiles import MEMORY

# Share of the free memory that is used; other programs need some, too.
_SHARE = 0.7
# Bytes that TensorFlow and other libraries allocate after a model is loaded.
_REST = 300_000_000
# Least bytes for tiles; smaller tiles are nearly all margin.
_LEAST = 250_000_000
# Share of the total for a picture and its result that are read ahead or written late.
_LIGHT = 1 / 16


class Budget:
    """The memory of a process, and the memory left for tiles."""

    def __init__(
        self, limit: float | None = None, share: float = 1.0, base: int | None = None
    ):
        """Reads how much memory is free.

        Args:
            limit: Most bytes for the whole process; None for the free memory.
            share: Share of the free memory that is for this process.
            base: Bytes that the process used before its first picture; None if this is
                its first. TensorFlow keeps the memory of tiles for the next ones.
        """
        free, used = free_memory(), used_memory()
        self.used = (base or used or 0) + _REST
        there = (
            MEMORY + self.used if free is None else free * _SHARE * share + (used or 0)
        )
        self.total = min(there, limit or there)

    def find_tiles(self, held: float) -> float:
        """Returns the bytes for tiles.

        Args:
            held: Bytes of the picture and its result, which stay in memory.
        """
        return max(_LEAST, self._find_room() - held)

    def has_room(self, held: float) -> bool:
        """Whether tiles of a useful size fit beside `held` bytes."""
        return self._find_room() - held >= _LEAST

    def _find_room(self):
        return self.total * (1 - 2 * _LIGHT) - self.used

    def is_light(self, held: float) -> bool:
        """Whether `held` bytes may be kept while another picture is upscaled."""
        return held <= _LIGHT * self.total
