"""The eight ways in which a picture can be turned: four rotations, mirrored or not."""

import numpy as np

# Whether rows and columns are exchanged first, then whether each is reversed.
TURNS = [
    (exchanged, rows, columns)
    for exchanged in (False, True)
    for rows in (False, True)
    for columns in (False, True)
]

# By an EXIF orientation, what sets the picture upright; 1 is upright.
UPRIGHT = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def turn(image, how):
    """Turns a picture.

    Args:
        image: (H, W, ...), any dtype.
        how: One of `TURNS`.

    Returns:
        A view: (H, W, ...), or (W, H, ...) where rows and columns are exchanged.
    """
    exchanged, rows, columns = how
    if exchanged:
        image = np.swapaxes(image, 0, 1)
    return image[:: -1 if rows else 1, :: -1 if columns else 1]


def turn_back(image, how):
    """Undoes `turn`."""
    exchanged, rows, columns = how
    image = image[:: -1 if rows else 1, :: -1 if columns else 1]
    return np.swapaxes(image, 0, 1) if exchanged else image
