"""How much memory the upscaling of pictures may take."""

from console.machine import free_memory, used_memory
from upscaling.tiles import MEMORY

# Of what is free: other programs want some, too.
_SHARE = 0.7
# What TensorFlow and the libraries take beyond what they have once a model is loaded.
_REST = 300_000_000
# Tiles of less than this are nearly all margin.
_LEAST = 250_000_000
# What may be read ahead or written behind, of all there is.
_LIGHT = 1 / 16
# Pillow copies a picture, with four bytes a pixel, while it writes it.
_COPIES = 2


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
        light = _COPIES * _LIGHT * self.total
        return max(_LEAST, self.total - self.used - held - light)

    def is_light(self, held):
        """Whether so many bytes may be kept beside what is being worked on."""
        return _COPIES * held <= _LIGHT * self.total
