"""What the scripts ask of a predictor, and most of what one does.

A subclass makes its backbone; see `Predictor.make_backbone`.
"""

import dataclasses
import json

import keras

from console.errors import InputError
from score_predictors.weight_files import WeightFile
from training.options import OF_A_STEP, POLICIES

SCORES = 10

# What a lowest score may be.
_FIRST_SCORE_BOUNDS = (0, 1000)
# The attribute of an `.h5` file that says what its network was made from.
_MADE_FROM = "architecture"


class Predictor:
    """A network that predicts how people would score a picture.

    Attributes:
        name: Its name in the registry.
        step_options: Names of the fields of `training.options.StepOptions` that its
            training heeds; flags of the others are refused.
        settings_classes: One `console.settings.Settings`, which it is made from.
        settings: Of that class.
        precision: One of `training.options.POLICIES`.
        network: Keras model from float32 (N, H, W, 3) in [-1, 1], any height and
            width, to scores (N, 10), which sum to 1, and features (N, F).
        backbone: The part of it from the picture to the features.
        head: The layer from the features to the scores.
        trains_head_only: Whether only the head is trained.
        dropout: Share of the features that a training step drops.
    """

    name = None
    step_options = OF_A_STEP
    settings_classes = ()
    trains_head_only = False
    dropout = 0.0

    def __init__(self, settings, precision="float32"):
        """Makes the network, with random weights.

        Args:
            settings: Of the first of `settings_classes`.
            precision: Of what lies between the first and the last convolution.
        """
        self.settings, self.precision = settings, precision
        self.backbone = self.make_backbone(POLICIES[precision])
        self.head = keras.layers.Dense(
            SCORES, activation="softmax", dtype="float32", name="dense"
        )
        features = self.backbone.output
        self.network = keras.Model(self.backbone.input, [self.head(features), features])

    def make_backbone(self, dtype):
        """Makes the network from a picture to its features.

        Args:
            dtype: Keras dtype policy of its inner layers.

        Returns:
            keras.Model: From float32 (N, H, W, 3), any height and width, to float32
            (N, F). Its layers have names. Features are dropped after it, by
            `dropout`; layers that draw at random would not draw anew each step.
        """
        raise NotImplementedError

    @classmethod
    def from_flags(cls, architecture=None, restore_path=None, precision="float32"):
        """Makes the predictor that the flags describe, its weights not yet loaded.

        Args:
            architecture: `architecture()` of the run that goes on, which then count;
                None for a new one.
            restore_path: The weights that a new run starts from; None for others.
            precision: One of `training.options.POLICIES`.
        """
        settings = cls.settings_classes[0].from_flags()
        known = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in (architecture or {}).items()
        }
        return cls(dataclasses.replace(settings, **known), precision)

    @classmethod
    def from_file(cls, path, flag):
        """Makes the predictor of an `.h5` file, with its weights.

        Args:
            path: The file.
            flag: What gave it, for messages.

        Returns:
            The predictor, and the file's attributes.

        Raises:
            InputError: There is no such file, or it does not fit.
        """
        with WeightFile(path, flag) as file:
            predictor = cls(cls.read_settings(file))
            predictor.load(file)
            attributes = dict(file.attributes)
            first_score = file.read_number("first_score", *_FIRST_SCORE_BOUNDS)
            if first_score is not None:
                attributes["first_score"] = int(first_score)
            return predictor, attributes

    @classmethod
    def read_settings(cls, file):
        """Reads what the network of an `.h5` file was made from.

        Args:
            file: `score_predictors.weight_files.WeightFile`.

        Raises:
            InputError: It does not say it.
        """
        try:
            values = json.loads(file.attributes[_MADE_FROM])
            return cls.settings_classes[0].from_stored(values)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{file.flag}={file.path}: does not say of which network its weights "
                f"are; expected weights of --model={cls.name}."
            ) from error

    def load(self, file):
        """Reads all weights.

        Args:
            file: `score_predictors.weight_files.WeightFile`.

        Raises:
            InputError: It does not fit.
        """
        hint = "It holds another network."
        file.load(self.network.weights, f"--model={self.name}", hint)

    def load_start(self, path=None):
        """Loads what a new run starts from.

        Args:
            path: Weights; None for those that the predictor's flags say.

        Returns:
            str: What that is, for a person.

        Raises:
            InputError: It cannot be had.
        """
        if path is None:
            return "random weights"
        with WeightFile(path, "--restore_path") as file:
            self.load(file)
        return f"the weights of {path}"

    def architecture(self):
        """What the predictor was made from, for `from_flags` when a run goes on."""
        return dataclasses.asdict(self.settings)

    def attributes(self):
        """What an `.h5` file says beside the weights: from a name to a value."""
        return {_MADE_FROM: json.dumps(self.architecture())}

    def copy(self):
        """Makes another like it, with weights of its own."""
        return type(self)(self.settings, self.precision)

    @property
    def moving_averages(self):
        """The variables that follow the pictures trained on: batch normalisation's."""
        return [] if self.trains_head_only else self.network.non_trainable_weights

    @property
    def trained_weights(self):
        """The variables that are trained."""
        part = self.head if self.trains_head_only else self.network
        return part.trainable_variables
