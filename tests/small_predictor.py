"""A predictor of one convolution, where it is not MobileNetV2 that a test is about.

It has all that the training knows of a network: batch normalisation, dropout, and a
last layer that can be trained alone. Scripts started by `tests.scripts` know it as
`--model=one_layer`.
"""

import contextlib
import dataclasses
from unittest import mock

import keras

from console.settings import Settings, option
from score_predictors.base import Predictor
from score_predictors.mobilenetv2 import FusedBatchNormalization, MobileNetV2


@dataclasses.dataclass(frozen=True)
class SmallSettings(Settings):
    """As of MobileNetV2."""

    flag_prefix = "one_layer_"

    train_last_only: bool = option(False, "Train the last layer only.")
    dropout: float = option(0.5, "Share of the features that a training step drops.")


class OneLayer(Predictor):
    """The first layers of MobileNetV2, under their names."""

    name = "one_layer"
    settings_classes = (SmallSettings,)

    def __init__(self, settings, precision="float32"):
        super().__init__(settings, precision)
        self.trains_head_only = settings.train_last_only
        self.dropout = settings.dropout

    def make_backbone(self, dtype):
        x = picture = keras.Input((None, None, 3))
        x = keras.layers.Conv2D(8, 3, strides=2, use_bias=False, name="Conv1")(x)
        x = FusedBatchNormalization(momentum=0.9, name="bn_Conv1")(x)
        x = keras.layers.ReLU(6.0, dtype=dtype, name="Conv1_relu")(x)
        x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="pool")(x)
        return keras.Model(picture, x)


@contextlib.contextmanager
def narrow_mobilenetv2():
    """Lets MobileNetV2 have one convolution as long as this is entered.

    For what goes through the scripts with the flags of MobileNetV2, where these and
    not the network are what a test is about.
    """
    with (
        mock.patch("score_predictors.mobilenetv2._make_base", _make_base),
        mock.patch.object(MobileNetV2, "maps", ("bn_Conv1",)),
    ):
        yield


def _make_base(alpha, momentum, policy):
    picture = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(round(32 * alpha), 3, strides=2, name="Conv1")(picture)
    x = FusedBatchNormalization(momentum=momentum, name="bn_Conv1")(x)
    return keras.Model(picture, keras.layers.ReLU(6.0, dtype=policy)(x))
