"""The base class of score predictors; a subclass makes the backbone."""

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import keras

from console.settings import Settings
from score_predictors.weight_files import WeightFile
from training.options import OF_A_STEP, POLICIES

SCORES = 10

# Bounds of the lowest score.
_FIRST_SCORE_BOUNDS = (0, 1000)
# The attribute of an `.h5` file that holds the settings of its network.
_MADE_FROM = "architecture"


class Predictor:
    """A network that predicts people's scores of a picture.

    Attributes:
        name: Name in the registry.
        step_options: Names of the fields of `training.options.StepOptions` that the
            training uses; flags of other fields are refused.
        settings_classes: The class of `settings`, a tuple of one.
        network: Keras model from float32 (N, H, W, 3) in [-1, 1], any height and
            width, to scores (N, 10), which sum to 1, and features (N, F).
        backbone: The part of the network from the picture to the features.
        head: The layer from the features to the scores.
        trains_head_only: Whether only the head is trained.
        dropout: Share of the features that a training step drops.
        maps: Names of layers of `backbone` at several depths, whose outputs
            (N, h, w, C) losses of 4PP-EUSR may compare place by place.
    """

    name: str = ""
    step_options: Sequence[str] = OF_A_STEP
    settings_classes: tuple[type[Settings], ...] = ()
    trains_head_only = False
    dropout = 0.0
    maps: Sequence[str] = ()

    def __init__(self, settings: Any, precision: str = "float32") -> None:
        """Makes the network, with random weights.

        Args:
            settings: An instance of the first of `settings_classes`.
            precision: One of `training.options.POLICIES`, for all between the first
                and the last convolution.
        """
        self.settings, self.precision = settings, precision
        self.backbone = self.make_backbone(POLICIES[precision])
        self.head = keras.layers.Dense(
            SCORES, activation="softmax", dtype="float32", name="dense"
        )
        features = self.backbone.output
        self.network = keras.Model(self.backbone.input, [self.head(features), features])

    @functools.cached_property
    def network_with_maps(self) -> keras.Model:
        """`network` with further outputs: the features of the layers of `maps`."""
        maps = [self.backbone.get_layer(name).output for name in self.maps]
        return keras.Model(self.backbone.input, self.network.outputs + maps)

    def make_backbone(self, dtype: str) -> keras.Model:
        """Makes the network from a picture to its features.

        Args:
            dtype: Keras dtype policy of the inner layers.

        Returns:
            A model from float32 (N, H, W, 3), any height and width, to float32 (N, F).
            Its layers have names and are deterministic: random layers would draw the
            same numbers at each step. `dropout` is applied to the features.
        """
        raise NotImplementedError

    @classmethod
    def from_flags(
        cls,
        architecture: dict[str, Any] | None = None,
        restore_path: Path | str | None = None,
        precision: str = "float32",
    ) -> Self:
        """Makes the predictor that the flags describe, its weights not yet loaded.

        Args:
            architecture: `architecture()` of the run that is resumed, which overrides
                the flags; None for a new run.
            restore_path: The weights that a new run starts from, if given.
            precision: See `__init__`.
        """
        settings = cls.settings_classes[0].from_flags()
        known = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in (architecture or {}).items()
        }
        return cls(dataclasses.replace(settings, **known), precision)

    @classmethod
    def from_file(
        cls, path: Path | str, flag: str, precision: str = "float32"
    ) -> tuple[Self, dict[str, Any]]:
        """Makes the predictor of an `.h5` file that `flag` gave, with its weights.

        Returns:
            The predictor and the file's attributes.

        Raises:
            InputError: There is no such file, or it does not fit.
        """
        with WeightFile(path, flag) as file:
            predictor = cls(cls.read_settings(file), precision)
            predictor.load(file)
            first_score = file.read_number("first_score", *_FIRST_SCORE_BOUNDS)
            if first_score is not None:
                file.attributes["first_score"] = int(first_score)
            return predictor, file.attributes

    @classmethod
    def read_settings(cls, file: WeightFile) -> Any:
        """Reads the `settings` that the network of an `.h5` file was made from.

        Raises:
            InputError: The file does not hold such settings.
        """
        try:
            values = json.loads(file.attributes[_MADE_FROM])
            return cls.settings_classes[0].from_stored(values)
        except (KeyError, TypeError, ValueError) as error:
            raise file.error(
                "does not name the network of its weights; expected weights of "
                f"--model={cls.name}."
            ) from error

    def load(self, file: WeightFile) -> None:
        """Reads all weights; raises an `InputError` if the file does not fit."""
        hint = "It holds another network."
        file.load(self.network.weights, f"--model={self.name}", hint)

    def load_start(self, path: Path | str | None = None) -> str:
        """Loads the weights that a new run starts from, and describes them.

        Without a path, these are the weights that the predictor's flags name.

        Raises:
            InputError: The weights cannot be loaded.
        """
        if path is None:
            return "random weights"
        with WeightFile(path, "--restore_path") as file:
            self.load(file)
        return f"the weights of {path}"

    def architecture(self) -> dict[str, Any]:
        """The settings of the network, for `from_flags` of a resumed run."""
        return dataclasses.asdict(self.settings)

    def attributes(self) -> dict[str, Any]:
        """The attributes of an `.h5` file, from a name to a value."""
        return {_MADE_FROM: json.dumps(self.architecture())}

    def copy(self) -> Self:
        """Makes a predictor of the same settings with its own weights."""
        return type(self)(self.settings, self.precision)

    @property
    def moving_averages(self) -> list[keras.Variable]:
        """The moving averages of batch normalisation that training updates."""
        return [] if self.trains_head_only else self.network.non_trainable_weights

    @property
    def trained_weights(self) -> list[keras.Variable]:
        """The variables that are trained."""
        part = self.head if self.trains_head_only else self.network
        return part.trainable_variables
