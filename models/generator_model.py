"""Models with EUSR's generator: the network and its checkpoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from console.errors import InputError
from console.progress import say
from models import stored, tf1_names
from models.generator import Generator
from models.generator_settings import MEAN, Architecture
from models.trained import GENERATOR, TrainedModel
from training import checkpoints
from training.arguments import LEARNED
from training.index_files import check_fits


class GeneratorModel(TrainedModel):
    """Base of the models with EUSR's generator; a subclass adds the training.

    Attributes:
        new_scales: Scales without a path in the checkpoint that was restored last.
    """

    network_class = Generator
    architecture: Architecture
    generator: Generator
    new_scales: Sequence[int] = ()

    @classmethod
    def read_settings(
        cls, prefix: Path | str, arguments: dict[str, Any] | None
    ) -> Architecture:
        """See `TrainedModel.read_settings`; also reads checkpoints of the TF1 code."""
        if arguments is not None:
            architecture = super().read_settings(prefix, arguments)
        else:
            fields = tf1_names.read_architecture(prefix)
            # A flag of the TF1 code, which its files do not contain.
            fields["rgb_mean"] = Architecture.given().get("rgb_mean", MEAN)
            architecture = stored.read_settings(prefix, Architecture, fields)
        # Before the network is made: a damaged file may claim more than the memory. It
        # has at least 16 bits for each weight.
        check_fits(prefix, 2 * architecture.count_parameters())
        return architecture

    def tf1_layers(self) -> dict[str, dict[str, keras.layers.Layer]]:
        """Returns the layers that the TF1 code has by item; see `models.tf1_names`."""
        return {GENERATOR: tf1_names.of_generator(self.generator)}

    def check_network(self, prefix: Path | str, resume: bool) -> None:
        """See `TrainedModel.check_network`; a new run may add scales."""
        theirs = self.read_settings(prefix, checkpoints.describe(prefix))
        ours = self.architecture
        new = set(ours.model_scales) - set(theirs.model_scales)
        # A resumed run keeps its scales, and a file of the TF1 code has all of them.
        is_start = not resume and not tf1_names.is_tf1(prefix)
        but = ("model_scales",) if is_start or not new else ()
        stored.check_same(prefix, theirs, ours, but)
        self.new_scales = sorted(new)

    def read_weights(
        self, prefix: Path | str, target: str | None, resume: bool, use_ema: bool
    ) -> None:
        """See `TrainedModel.read_weights`."""
        if tf1_names.is_tf1(prefix):
            self._read_tf1(prefix, target)
            self.take_learned(None)
        elif self.new_scales and target in (None, GENERATOR):
            self._read_shared(prefix, use_ema)
        else:
            super().read_weights(prefix, target, resume, use_ema)

    def _read_tf1(self, prefix, target):
        """Reads weights of the TF1 code and, without a target, Adam's moments."""
        layers = self.tf1_layers()
        if target is not None:
            if target not in layers:
                raise InputError(
                    f"--restore_target={target}: expected {' or '.join(layers)}, the "
                    f"only parts of {prefix} that can be restored."
                )
            layers = {target: layers[target]}
        reader = checkpoints.open_reader(prefix)
        for item, named in layers.items():
            if not any(reader.has_tensor(f"{name}/kernel") for name in named):
                raise InputError(
                    f"{prefix} holds no {item}, which --model={self.name} needs. "
                    "--restore_target=generator restores only the generator."
                )
        named = dict(pair for item in layers.values() for pair in item.items())
        tf1_names.restore(prefix, named)
        text = f"Restored the {' and the '.join(layers)} of the TensorFlow 1 code"
        if target is None and self.optimizers:
            optimizers = list(self.optimizers.values())
            steps = tf1_names.restore_moments(prefix, named, optimizers)
            text += (
                ", without Adam's moments, which the checkpoint does not hold"
                if steps is None
                else f" and Adam's moments after {steps} steps"
            )
        say(f"{text}.")

    def _read_shared(self, prefix, use_ema):
        """Reads the weights of a network with fewer scales; the rest stays new."""
        item = GENERATOR
        if use_ema and "ema" in checkpoints.list_items(prefix):
            item = "ema"
        names = [f"x{scale}" for scale in self.new_scales]
        taken = [
            weight
            for weight in self.generator.weights
            if weight.path.split("/")[1].partition("_")[0] not in names
        ]
        checkpoints.restore(prefix, {item: checkpoints.to_tree(taken)})
        self.take_learned(checkpoints.describe(prefix))
        if self.learned_scales is None:  # At most the scales of the checkpoint.
            old = [scale for scale in self.scales if scale not in self.new_scales]
            self.take_learned({LEARNED: old})
        say(
            f"The network of {prefix} has no {' and no '.join(names)}: the layers for "
            "them start untrained, as does everything except the generator."
        )
