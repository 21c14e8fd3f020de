"""MobileNetV2 with a layer that predicts a distribution over ten scores.

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018;
Talebi and Milanfar, "NIMA: neural image assessment", IEEE TIP 2018. Unlike Keras'
own, it takes pictures of any size and pads each as the network built for that size.
"""

import dataclasses

import keras

from console import settings
from console.errors import InputError
from console.progress import warn
from console.settings import PathName, option
from score_predictors import imagenet
from score_predictors.base import Predictor
from score_predictors.layers import FusedBatchNormalization
from score_predictors.weight_files import WeightFile
from training.options import POLICIES
from training.trained import Trained

SCORES = 10

ALPHA_BOUNDS = (0.05, 4.0)

# What a lowest score may be.
_FIRST_SCORE_BOUNDS = (0, 1000)

# Arrays of weights without the last layer, whatever the width.
_ARRAYS = 260
# The first and the last convolution.
_FLOAT32 = ("Conv1", "Conv_1")
# Channels that the last but one convolution has for each unit of alpha.
_LAST_CHANNELS = 320


@dataclasses.dataclass(frozen=True)
class Settings(settings.Settings):
    """What the network is made from, and how it is trained."""

    flag_prefix = "mobilenetv2_"

    alpha: float = option(
        1.0,
        "Width of the network. A file of weights knows its own.",
        least=ALPHA_BOUNDS[0],
        most=ALPHA_BOUNDS[1],
    )
    train_last_only: bool = option(False, "Train the last layer only.")
    dropout: float = option(
        0.75,
        "Share of the features that a training step drops.",
        least=0.0,
        most=0.99,
    )
    # From none, 0.999 would keep too much of what is random.
    bn_momentum: float | None = option(
        None,
        "Momentum of batch normalisation's running averages; if not given 0.999, "
        "or 0.9 with --mobilenetv2_weights=none.",
        least=0.0,
        most=0.9999,
    )
    weights: PathName = option(
        "imagenet",
        "What a new run without --restore_path starts from: imagenet, none, or a "
        "file of weights.",
        changes="said",
    )


class MobileNetV2(Predictor):
    """See the module's docstring."""

    name = "mobilenetv2"
    settings_classes = (Settings,)
    step_options = Trained.step_options

    def __init__(self, settings, precision="float32"):
        """Makes the network, with random weights.

        Args:
            settings: `Settings`.
            precision: One of `training.options.POLICIES`: of what lies between the
                first and the last convolution.
        """
        self.settings, self.precision = settings, precision
        self.bn_momentum = settings.bn_momentum
        if self.bn_momentum is None:
            self.bn_momentum = 0.9 if settings.weights == "none" else 0.999
        base = _make_base(settings.alpha, self.bn_momentum, POLICIES[precision])
        features = keras.layers.GlobalAveragePooling2D(
            data_format="channels_last", name="global_average_pooling2d"
        )(base.output)
        self.head = keras.layers.Dense(SCORES, activation="softmax", name="dense")
        self.network = keras.Model(base.input, [self.head(features), features])
        self.backbone = keras.Model(base.input, features)
        self.trains_head_only = settings.train_last_only
        self.dropout = settings.dropout

    @classmethod
    def from_flags(cls, architecture=None, restore_path=None, precision="float32"):
        """See `Predictor.from_flags`; what --restore_path names knows its alpha."""
        settings = Settings.from_flags()
        if architecture is not None:
            settings = dataclasses.replace(settings, **architecture)
        elif restore_path is not None and "alpha" not in Settings.given():
            with WeightFile(restore_path, "--restore_path") as file:
                settings = dataclasses.replace(settings, alpha=_read_alpha(file))
        return cls(settings, precision)

    @classmethod
    def from_file(cls, path, flag):
        """See `Predictor.from_file`."""
        with WeightFile(path, flag) as file:
            predictor = cls(Settings(alpha=_read_alpha(file)))
            predictor._load(file, predictor.network.weights)
            attributes = dict(file.attributes)
            first_score = file.read_number("first_score", *_FIRST_SCORE_BOUNDS)
            if first_score is not None:
                attributes["first_score"] = int(first_score)
            return predictor, attributes

    def load_start(self, path=None):
        """See `Predictor.load_start`."""
        weights = self.settings.weights
        if path is not None:
            with WeightFile(path, "--restore_path") as file:
                self._load(file, self.network.weights)
            return f"the weights of {path}"
        if weights == "none":
            if self.trains_head_only:
                warn(
                    "--mobilenetv2_train_last_only with --mobilenetv2_weights=none "
                    "trains one layer on what random weights see; scores will "
                    "mean little."
                )
            return "random weights"
        flag = "--mobilenetv2_weights"
        is_imagenet = weights == "imagenet"
        path = imagenet.fetch(self.settings.alpha) if is_imagenet else weights
        with WeightFile(path, flag) as file:
            self._load(file, self.backbone.weights)
        return "ImageNet's weights" if is_imagenet else f"those of {weights}"

    def copy(self):
        """See `Predictor.copy`."""
        settings = dataclasses.replace(self.settings, bn_momentum=self.bn_momentum)
        return MobileNetV2(settings, self.precision)

    def attributes(self):
        """See `Predictor.attributes`."""
        return {"alpha": self.settings.alpha}

    def architecture(self):
        """See `Predictor.architecture`."""
        return {"alpha": self.settings.alpha, "bn_momentum": self.bn_momentum}

    def _load(self, file, weights):
        fits = _read_alpha(file)
        file.load(
            weights,
            f"mobilenetv2 (alpha {self.settings.alpha:g})",
            f"--mobilenetv2_alpha={fits:g} may fit."
            if abs(fits - self.settings.alpha) > 0.01
            else "It holds another network.",
        )


def _make_base(alpha, momentum, policy):
    """Keras' MobileNetV2 without its top, changed to take any size."""
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    base = keras.applications.MobileNetV2(
        input_shape=(None, None, 3), alpha=alpha, include_top=False, weights=None
    )

    def revise(layer):
        config = layer.get_config()
        # Keras pads by hand before convolutions of stride 2, by the size that the
        # network was built for; 'same' gives that padding at every size.
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
    """The width of the network whose weights a file holds.

    The first layer would not do: 0.35 and 0.5 have 16 channels there.

    Raises:
        InputError: It holds no MobileNetV2.
    """
    alpha = file.read_number("alpha", *ALPHA_BOUNDS)
    if alpha is not None:
        return alpha
    shapes = [tuple(dataset.shape) for _, dataset in file.datasets]
    kernels = [shape for shape in shapes if len(shape) == 4]
    alpha = kernels[-1][2] / _LAST_CHANNELS if kernels else 0.0
    is_one = len(shapes) >= _ARRAYS and shapes[0][:3] == (3, 3, 3)
    if not is_one or not ALPHA_BOUNDS[0] <= alpha <= ALPHA_BOUNDS[1]:
        raise InputError(
            f"{file.flag}={file.path}: holds no MobileNetV2, but {len(shapes)} arrays, "
            f"the first of shape {list(shapes[0]) if shapes else []}; expected weights "
            "as score_predictors/train.py writes them."
        )
    nearest = min(imagenet.ALPHAS, key=lambda known: abs(known - alpha))
    return nearest if abs(nearest - alpha) < 0.02 else alpha
