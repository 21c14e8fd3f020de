"""The eight dihedral transforms of a picture: four rotations, mirrored or not.

On its own because reading, measuring and enlarging all use it.
"""

import numpy as np

# Whether to exchange rows and columns first, then whether to reverse rows and columns.
Turn = tuple[bool, bool, bool]

# The transform that turns a picture upright, by its EXIF orientation; 1 is upright.
UPRIGHT: dict[int, Turn] = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
DIHEDRAL = sorted(UPRIGHT.values())


def transform(image: np.ndarray, how: Turn) -> np.ndarray:
    """Returns a view of (H, W, ...) that is turned as one of `DIHEDRAL`."""
    exchanged, rows, columns = how
    if exchanged:
        image = np.swapaxes(image, 0, 1)
    return image[:: -1 if rows else 1, :: -1 if columns else 1]


def invert(image: np.ndarray, how: Turn) -> np.ndarray:
    """Undoes `transform`."""
    exchanged, rows, columns = how
    image = image[:: -1 if rows else 1, :: -1 if columns else 1]
    return np.swapaxes(image, 0, 1) if exchanged else image
