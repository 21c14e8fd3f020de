"""The interface through which scripts use a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from console.errors import InputError
from console.settings import Settings
from training import checkpoints
from training.arguments import DEGRADATION, LEARNED, add_learned, find_degradation
from training.options import StepOptions
from training.state import State
from upscaling.tiles import Stage, upscale_array


class Model:
    """Base class of all models.

    A subclass sets `name` and `scales` and makes its networks in `__init__`. A model
    with training has a `state`; see `models.trained.TrainedModel`.

    Attributes:
        name: Name in the registry.
        needs_checkpoint: False for a model without weights.
        settings_classes: Classes of the constructor's arguments, in their order.
        flag_defaults: Defaults that the model sets for flags of other classes.
        step_options: Fields of `training.options.StepOptions` that the training step
            supports; flags of other fields are refused.
        advice_for_scratch: Warning for a run without a checkpoint to start from.
        scales: Supported upscaling factors.
        trained_scales: Scales that can be trained; None for all of `scales`.
        scales_advice: How to train other scales, a sentence; empty for no way.
        default_scales: Scales used when none are given; None for `usable_scales`.
        learned_scales: Scales that the weights were trained at in any run; empty for
            new weights, None if unknown.
        state: Step and arguments; None for a model without a checkpoint.
        step_signature: `tf.TensorSpec` of each array of a batch's `inputs`; None to
            trace each graph with the shapes of its first batch.
    """

    name: str | None = None
    needs_checkpoint: bool = True
    flag_defaults: dict[str, Any] = {}
    settings_classes: tuple[type[Settings], ...] = ()
    step_options: tuple[str, ...] = ()
    scales: tuple[int, ...] = ()
    scales_advice: str = ""
    learned_scales: Sequence[int] | None = ()
    default_scales: tuple[int, ...] | None = None
    trained_scales: tuple[int, ...] | None = None
    advice_for_scratch: str | None = None
    state: State | None = None
    step_signature: Sequence[tf.TensorSpec] | None = None

    def __init__(self, *settings: Settings, options: StepOptions | None = None) -> None:
        """Ignores settings and options: they apply to networks and training."""

    @classmethod
    def from_flags(cls, options: StepOptions | None = None) -> Self:
        """Makes the model that the flags describe, ready for training."""
        settings = [each.from_flags() for each in cls.settings_classes]
        return cls(*settings, options=options)

    def check_run(self, max_steps: int, lr_patch_size: int) -> None:
        """Refuses settings of a run with which the model cannot be trained."""

    @property
    def usable_scales(self) -> tuple[int, ...]:
        """Scales that the weights were trained at; all of `scales` if unknown."""
        known = self.learned_scales or self.scales
        return tuple(scale for scale in self.scales if scale in known)

    def take_learned(self, arguments: dict[str, Any] | None) -> None:
        """Records on what the restored weights were trained: `checkpoints.describe`."""
        self.learned_scales = (arguments or {}).get(LEARNED)
        if self.learned_scales is not None:
            self.state.arguments.values[LEARNED] = self.learned_scales
        if (degradation := find_degradation(arguments)) is not None:
            self.state.arguments.values[DEGRADATION] = degradation

    def learn(self, scales: Sequence[int]) -> None:
        """Records at which scales this run trains the weights."""
        self.learned_scales = add_learned(self.learned_scales, scales)
        if self.learned_scales is not None:
            self.state.arguments.values[LEARNED] = self.learned_scales

    @classmethod
    def from_checkpoint(
        cls,
        prefix: Path | str,
        arguments: dict[str, Any] | None,
        options: StepOptions | None = None,
    ) -> Self:
        """Makes the model of a checkpoint, without restoring its weights.

        `arguments` are those of `checkpoints.describe`; None for another program's.
        """
        raise InputError(f"--model={cls.name} has no checkpoints.")

    @classmethod
    def read_architecture(cls, prefix: Path | str) -> dict[str, Any]:
        """Reads the network's settings in a checkpoint, by the names of their flags."""
        raise InputError(f"--model={cls.name} has no checkpoints.")

    def train_step(
        self, lr: tf.Tensor, hr: tf.Tensor, scale: int
    ) -> dict[str, tf.Tensor]:
        """Takes one training step; runs inside a `tf.function`.

        Args:
            lr: uint8 or float32 (N, P, P, 3), RGB in [0, 255].
            hr: The same dtype, (N, P * scale, P * scale, 3), the same places.
            scale: Upscaling factor, one of `self.scales`, a Python int.

        Returns:
            Float32 scalars by name; `"loss"` is minimised and `"gradient_norm"` is the
            norm of its gradient. Names with a slash go to TensorBoard only.
        """
        raise InputError(f"--model={self.name} cannot be trained.")

    def count_step_memory(self, scales: Sequence[int]) -> int | None:
        """Estimates the bytes of a training step per LR pixel of its batch.

        A low estimate; None if unknown.
        """
        return None

    def forward(self, lr: tf.Tensor, scale: int) -> tf.Tensor:
        """Upscales a batch, float32 (N, H, W, 3), RGB in [0, 255], in one pass.

        Returns float32 (N, H * scale, W * scale, 3), not rounded and not clipped.
        """
        x = lr
        for part in self.parts(scale):
            x = part.run(x)
        return x

    def upscale(self, image: np.ndarray, scale: int = 4) -> np.ndarray:
        """Upscales uint8 (H, W, 3), RGB, of any size, in tiles that fit the memory.

        Raises:
            InputError: The scale is not supported, or `image` is not such a picture.
        """
        if scale not in self.usable_scales:
            does = ", ".join(map(str, self.usable_scales))
            raise InputError(f"{self.name} upscales by {does}. Received scale={scale}.")
        return upscale_array(self.stages(scale), image)

    def parts(self, scale: int) -> list[Stage]:
        """Cuts the network into parts; `freeze.py` names the tensors between them.

        Each part enlarges by a whole factor, which may be 1, and is not compiled.
        """
        raise InputError(f"--model={self.name} has no network to freeze.")

    def stages(self, scale: int) -> list[Stage]:
        """Returns `parts`, compiled once, for `upscaling.tiles.upscale_image`."""
        raise NotImplementedError

    def make_sr(self, name: str, lr: np.ndarray, scale: int) -> np.ndarray:
        """Makes the SR image of a named LR image; see `upscale`."""
        return self.upscale(lr, scale)

    def find_scales(self) -> list[int]:
        """Lists the scales to use the model at."""
        return sorted(self.usable_scales)

    @staticmethod
    def has_passes() -> bool:
        """Whether the scale selects a pass of 4PP-EUSR, as in files of the TF1 code."""
        return False

    def pictures(self, lr: tf.Tensor, scale: int) -> dict[str, tf.Tensor]:
        """Returns pictures like `forward`'s that TensorBoard shows, by their tags."""
        return {"output": self.forward(lr, scale)}

    def remarks(self) -> list[str]:
        """Returns warnings about the training, each once; called at each log."""
        return []

    def learning_rates(self) -> dict[str, float]:
        """Returns the current learning rate of each optimizer, by its name."""
        return {}

    def checkpoint_items(self) -> dict[str, Any]:
        """Returns the objects to store in a checkpoint, by the names of its items."""
        return {}

    def restore(
        self,
        prefix: Path | str,
        target: str | None = None,
        resume: bool = False,
        use_ema: bool = True,
    ) -> None:
        """Reads the weights, and the optimizers if the model has any.

        Args:
            prefix: Checkpoint prefix from `training.checkpoints.find`.
            target: The only item to read, for example `"generator"`; None for all.
            resume: Whether to read the step too, to continue a run.
            use_ema: Whether to read the averaged weights, if the checkpoint holds
                any and `resume` is False.

        Raises:
            InputError: The checkpoint does not fit, or `target` does not exist.
        """
        items = self.checkpoint_items()
        stored = checkpoints.list_items(prefix)
        if "ema" not in stored or not resume:
            items.pop("ema", None)
        if not resume:
            items.pop("state", None)
        if target is not None:
            if target not in items:
                raise InputError(
                    f"--restore_target={target} does not exist; --model={self.name} "
                    f"has {', '.join(sorted(items))}."
                )
            items = {target: items[target]}
        missing = sorted(set(items) - set(stored))
        if missing and len(missing) < len(items) and "generator" in stored:
            raise InputError(
                f"{prefix} holds no {' and no '.join(missing)}, which "
                f"--model={self.name} needs. --restore_target=generator restores only "
                "the generator, with new optimizers, from step 0."
            )
        checkpoints.restore(prefix, items)
        if "generator" in items:
            self.take_learned(checkpoints.describe(prefix))
        if use_ema and not resume and "ema" in stored and "generator" in items:
            checkpoints.restore(prefix, {"ema": items["generator"]})

    @property
    def step(self) -> int:
        """Training steps done."""
        return 0 if self.state is None else int(self.state.step.numpy())
