"""MobileNetV2 with a layer that predicts a distribution over ten scores.

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018;
Talebi and Milanfar, "NIMA: neural image assessment", IEEE TIP 2018. Unlike Keras'
MobileNetV2, it takes pictures of any size, with the padding that Keras uses for each
size.
"""

import dataclasses
from pathlib import Path
from typing import Any, Self

import keras

from console import settings
from console.progress import warn
from console.settings import PathName, option
from score_predictors import imagenet
from score_predictors.base import Predictor
from score_predictors.weight_files import WeightFile

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

ALPHA_BOUNDS = (0.05, 4.0)

# Number of weight arrays without the last layer, for any width.
_ARRAYS = 260
# The first and the last convolution.
_FLOAT32 = ("Conv1", "Conv_1")
# Channels of the second-to-last convolution for each unit of alpha.
_LAST_CHANNELS = 320


@dataclasses.dataclass(frozen=True)
class Settings(settings.Settings):
    """Settings of the network and of its training."""

    flag_prefix = "mobilenetv2_"

    alpha: float = option(
        1.0,
        "Width of the network. A file of weights has its own.",
        least=ALPHA_BOUNDS[0],
        most=ALPHA_BOUNDS[1],
    )
    train_last_only: bool = option(False, "Train the last layer only.")
    dropout: float = option(
        0.75,
        "Dropout rate of the features in training.",
        least=0.0,
        most=0.99,
    )
    # From random weights, 0.999 would keep too much of the initial averages.
    bn_momentum: float | None = option(
        None,
        "Momentum of batch normalisation's running averages; if not given, 0.999, "
        "or 0.9 with --mobilenetv2_weights=none.",
        least=0.0,
        most=0.9999,
    )
    weights: PathName = option(
        "imagenet",
        "Initial weights of a new run without --restore_path: imagenet, none (random), "
        "or a file of weights.",
        changes="said",
    )


class MobileNetV2(Predictor):
    """MobileNetV2 as a score predictor; see the module's docstring."""

    name = "mobilenetv2"
    settings_classes = (Settings,)
    # Each before a stride and before the activation.
    maps = tuple(f"block_{index}_expand_BN" for index in (1, 3, 6, 13))

    def __init__(self, settings: Settings, precision: str = "float32") -> None:
        """See `Predictor`; chooses the momentum of batch normalisation if not given."""
        if settings.bn_momentum is None:
            momentum = 0.9 if settings.weights == "none" else 0.999
            settings = dataclasses.replace(settings, bn_momentum=momentum)
        super().__init__(settings, precision)
        self.trains_head_only = settings.train_last_only
        self.dropout = settings.dropout

    def make_backbone(self, dtype: str) -> keras.Model:
        """See `Predictor.make_backbone`."""
        base = _make_base(self.settings.alpha, self.settings.bn_momentum, dtype)
        features = keras.layers.GlobalAveragePooling2D(
            data_format="channels_last", name="global_average_pooling2d"
        )(base.output)
        return keras.Model(base.input, features)

    @classmethod
    def from_flags(
        cls,
        architecture: dict[str, Any] | None = None,
        restore_path: Path | str | None = None,
        precision: str = "float32",
    ) -> Self:
        """See `Predictor.from_flags`; alpha defaults to that of --restore_path."""
        is_given = "alpha" in Settings.given()
        if architecture is None and restore_path is not None and not is_given:
            with WeightFile(restore_path, "--restore_path") as file:
                architecture = {"alpha": _read_alpha(file)}
        return super().from_flags(architecture, restore_path, precision)

    @classmethod
    def read_settings(cls, file: WeightFile) -> Settings:
        """See `Predictor.read_settings`."""
        return Settings(alpha=_read_alpha(file))

    def load_start(self, path: Path | str | None = None) -> str:
        """See `Predictor.load_start`."""
        weights = self.settings.weights
        if path is not None or weights == "none":
            if path is None and self.trains_head_only:
                warn(
                    "--mobilenetv2_train_last_only with --mobilenetv2_weights=none "
                    "trains one layer on the features of random weights; the scores "
                    "will mean little."
                )
            return super().load_start(path)
        is_imagenet = weights == "imagenet"
        path = imagenet.fetch(self.settings.alpha) if is_imagenet else weights
        with WeightFile(path, "--mobilenetv2_weights") as file:
            self._load(file, self.backbone.weights)
        return "ImageNet's weights" if is_imagenet else f"the weights of {weights}"

    def attributes(self) -> dict[str, Any]:
        """See `Predictor.attributes`."""
        return {"alpha": self.settings.alpha}

    def architecture(self) -> dict[str, Any]:
        """See `Predictor.architecture`."""
        return {name: getattr(self.settings, name) for name in ("alpha", "bn_momentum")}

    def load(self, file: WeightFile) -> None:
        """See `Predictor.load`."""
        self._load(file, self.network.weights)

    def _load(self, file, weights):
        fits, own = _read_alpha(file), self.settings.alpha
        hint = "It holds another network."
        if abs(fits - own) > 0.01:
            hint = f"--mobilenetv2_alpha={fits:g} may fit."
        file.load(weights, f"mobilenetv2 (alpha {own:g})", hint)


def _make_base(alpha, momentum, policy):
    """Keras' MobileNetV2 without its top, changed to take pictures of any size."""
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    base = keras.applications.MobileNetV2(
        input_shape=(None, None, 3), alpha=alpha, include_top=False, weights=None
    )

    def revise(layer):
        config = layer.get_config()
        # Keras pads explicitly before convolutions of stride 2, for the size that the
        # network is built for; 'same' gives the right padding at every size.
        if isinstance(layer, keras.layers.ZeroPadding2D):
            return keras.layers.Identity(name=layer.name)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            config["padding"] = "same"
        if layer.name not in _FLOAT32:
            config["dtype"] = policy
        if isinstance(layer, keras.layers.BatchNormalization):
            return FusedBatchNormalization.from_config(config | {"momentum": momentum})
        return type(layer).from_config(config)

    return keras.models.clone_model(base, clone_function=revise)


def _read_alpha(file):
    """Finds the width of the network from its file of weights.

    The first layer does not tell: it has 16 channels for both 0.35 and 0.5.
    """
    alpha = file.read_number("alpha", *ALPHA_BOUNDS)
    if alpha is not None:
        return alpha
    shapes = [tuple(dataset.shape) for _, dataset in file.datasets]
    kernels = [shape for shape in shapes if len(shape) == 4]
    alpha = kernels[-1][2] / _LAST_CHANNELS if kernels else 0.0
    is_one = len(shapes) >= _ARRAYS and shapes[0][:3] == (3, 3, 3)
    if not is_one or not ALPHA_BOUNDS[0] <= alpha <= ALPHA_BOUNDS[1]:
        raise file.error(
            f"is not a MobileNetV2: it holds {len(shapes)} arrays, the first of shape "
            f"{list(shapes[0]) if shapes else []}. Expected weights written by "
            "score_predictors/train.py."
        )
    nearest = min(imagenet.ALPHAS, key=lambda known: abs(known - alpha))
    return nearest if abs(nearest - alpha) < 0.02 else alpha


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' `BatchNormalization` over (N, H, W, C), faster in training.

    With TensorFlow's fused operation a training step of MobileNetV2 takes half the
    time. As in Keras 2, the moving variance uses the sample variance, N / (N - 1) times
    the variance of the batch. Other backends use Keras' implementation.
    """

    def call(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalises by the batch in training, otherwise by the moving averages."""
        if keras.backend.backend() != "tensorflow":
            return super().call(x, training=training, mask=mask)
        parameters = self.gamma.value, self.beta.value
        if not (training and self.trainable):
            averages = self.moving_mean.value, self.moving_variance.value
            return tf.compat.v1.nn.fused_batch_norm(
                x, *parameters, *averages, epsilon=self.epsilon, is_training=False
            )[0]
        y, *moments = tf.compat.v1.nn.fused_batch_norm(
            x, *parameters, epsilon=self.epsilon, is_training=True
        )
        averages = self.moving_mean, self.moving_variance
        for average, value in zip(averages, moments, strict=True):
            average.assign(average + (1.0 - self.momentum) * (value - average))
        return y
