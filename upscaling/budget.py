"""How much memory the upscaling of pictures may take."""

from console.machine import free_memory, used_memory
from upscaling.tiles import MEMORY

# Of what is free: other programs want some, too.
_SHARE = 0.7
# What TensorFlow and the libraries take beyond what they have once a model is loaded.
_REST = 300_000_000
# Tiles of less than this are nearly all margin.
_LEAST = 250_000_000
# What may be read ahead or written behind, of all there is: a picture and its result.
_LIGHT = 1 / 16


class Budget:
    """The memory of a process, and what is left of it for tiles."""

    def __init__(self, limit=None):
        """Looks at what is free.

        Args:
            limit: Bytes for the whole process at most; None for what is free.
        """
        free, used = free_memory(), used_memory()
        self.used = (used or 0) + _REST
        there = MEMORY + self.used if free is None else free * _SHARE + (used or 0)
        self.total = min(there, limit or there)

    def find_tiles(self, held):
        """Bytes for tiles.

        Args:
            held: Bytes of the picture and its result, which are kept beside them.
        """
        return max(_LEAST, self._find_room() - held)

    def has_room(self, held):
        """Whether tiles of a sensible size are left beside so many bytes."""
        return self._find_room() - held >= _LEAST

    def _find_room(self):
        return self.total * (1 - 2 * _LIGHT) - self.used

    def is_light(self, held):
        """Whether so many bytes may be kept beside what is being worked on."""
        return held <= _LIGHT * self.total
