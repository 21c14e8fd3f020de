"""The eight dihedral transforms of a picture: four rotations, mirrored or not."""

import numpy as np

# Whether to exchange rows and columns first, then whether to reverse rows and columns.
Turn = tuple[bool, bool, bool]

DIHEDRAL: list[Turn] = [
    (exchanged, rows, columns)
    for exchanged in (False, True)
    for rows in (False, True)
    for columns in (False, True)
]

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


def transform(image: np.ndarray, how: Turn) -> np.ndarray:
    """Turns a picture.

    Args:
        image: (H, W, ...), any dtype.
        how: One of `DIHEDRAL`.

    Returns:
        A view: (H, W, ...), or (W, H, ...) where rows and columns are exchanged.
    """
    exchanged, rows, columns = how
    if exchanged:
        image = np.swapaxes(image, 0, 1)
    return image[:: -1 if rows else 1, :: -1 if columns else 1]


def invert(image: np.ndarray, how: Turn) -> np.ndarray:
    """Undoes `transform`."""
    exchanged, rows, columns = how
    image = image[:: -1 if rows else 1, :: -1 if columns else 1]
    return np.swapaxes(image, 0, 1) if exchanged else image
