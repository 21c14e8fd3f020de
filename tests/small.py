"""A small EUSR that trains in moments."""

import numpy as np

from models.eusr import EUSR
from models.generator_settings import Architecture, Training

SMALL = Architecture(model_scales=(2, 4), conv_features=4, shared_blocks=1)

# The same as flags of the scripts.
SMALL_FLAGS = (
    "--eusr_model_scales=2,4",
    "--eusr_conv_features=4",
    "--eusr_shared_blocks=1",
)


def make_small(options=None, **training):
    """Makes a small EUSR that can be trained."""
    return EUSR(SMALL, Training(**training), options)


def draw_batch(scale, side=8, count=2):
    """A batch of noise: lr and hr, uint8."""
    draw = np.random.default_rng(0)
    lr = draw.integers(0, 256, (count, side, side, 3), np.uint8)
    hr = draw.integers(0, 256, (count, side * scale, side * scale, 3), np.uint8)
    return lr, hr
