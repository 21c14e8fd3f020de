"""The verbs that every model has; the scripts use nothing else."""

from console.errors import InputError
from training import checkpoints
from training.arguments import LEARNED, add_learned
from upscaling.tiles import upscale_array


class Model:
    """What the scripts can ask of a model.

    A subclass sets `name` and `scales` and makes its networks in `__init__`; one that
    is trained has a `state`. See `models.trained.TrainedModel`.

    Attributes:
        name: Its name in the registry.
        needs_checkpoint: False for one that has nothing to learn.
        settings_classes: Those of the settings (`console.settings.Settings`) that it is
            made from, in the order of its arguments.
        flag_defaults: From flags that are not its own to their defaults with it.
        step_options: Names of the fields of `training.options.StepOptions` that its
            training steps heed; flags of the others are refused.
        advice_for_scratch: What a run that starts from nothing is warned of; None for
            nothing.
        scales: The upscaling factors that it can do.
        trained_scales: Those that it can be trained at; None for all of `scales`.
        default_scales: Scales used when none are given; None for all that its weights
            were trained at.
        learned_scales: Those that its weights were ever trained at, by whatever run;
            empty for fresh weights, None for weights of which nobody knows.
        state: `training.state.State`: step and arguments; None for a model
            without a checkpoint.
        step_signature: `tf.TensorSpec` of each array of a batch's `inputs`; None where
            each graph has the shapes of its first batch.
    """

    name = None
    needs_checkpoint = True
    flag_defaults = {}
    settings_classes = step_options = scales = learned_scales = ()
    default_scales = advice_for_scratch = trained_scales = None
    state = step_signature = None

    def __init__(self, options=None):
        """Takes the options, which a model without training has no use for."""

    @classmethod
    def from_flags(cls, options=None):
        """Makes the model that the flags describe, ready to be trained.

        Args:
            options: `training.options.StepOptions`; None for the defaults.
        """
        settings = [each.from_flags() for each in cls.settings_classes]
        return cls(*settings, options=options)

    def check_run(self, max_steps, lr_patch_size):
        """Looks whether a run suits the model.

        Args:
            max_steps: Steps in all.
            lr_patch_size: Side of the LR patches.

        Raises:
            InputError: It does not.
        """

    @property
    def usable_scales(self):
        """Those of `scales` that the weights were trained at, as far as is known."""
        return tuple(
            scale
            for scale in self.scales
            if not self.learned_scales or scale in self.learned_scales
        )

    def take_learned(self, arguments):
        """Remembers at which scales weights were trained that were restored.

        Args:
            arguments: As `training.checkpoints.describe` returns them.
        """
        self.learned_scales = (arguments or {}).get(LEARNED)
        if self.learned_scales is not None:
            self.state.arguments.values[LEARNED] = self.learned_scales

    def learn(self, scales):
        """Remembers at which scales the weights are trained from here on."""
        self.learned_scales = add_learned(self.learned_scales, scales)
        if self.learned_scales is not None:
            self.state.arguments.values[LEARNED] = self.learned_scales

    @classmethod
    def from_checkpoint(cls, prefix, arguments, options=None):
        """Makes the model that a checkpoint holds, its weights not yet restored.

        Args:
            prefix: The checkpoint, as `training.checkpoints.find` returns it.
            arguments: As `training.checkpoints.describe` returns them; None for a
                checkpoint that another program wrote.
            options: `training.options.StepOptions`; None for the defaults.
        """
        raise InputError(f"--model={cls.name} has no checkpoints.")

    @classmethod
    def read_architecture(cls, prefix):
        """Reads what the network of a checkpoint was made from.

        Args:
            prefix: The checkpoint, as `training.checkpoints.find` returns it.

        Returns:
            dict: From the name of a flag to the value that fits it.
        """
        raise InputError(f"--model={cls.name} has no checkpoints.")

    def train_step(self, lr, hr, scale):
        """Takes one training step; runs inside a `tf.function`.

        Args:
            lr: uint8 or float32 (N, P, P, 3), RGB in [0, 255].
            hr: The same dtype, (N, P * scale, P * scale, 3), the same places.
            scale: Upscaling factor, one of `self.scales`, a Python int.

        Returns:
            dict: From a name to a float32 scalar; `"loss"` is what is minimised,
            `"gradient_norm"` the norm of its gradient. A name with a slash is for
            TensorBoard alone, the others are in the log, too.
        """
        raise InputError(f"--model={self.name} cannot be trained.")

    def count_step_memory(self, scales):
        """Bytes that a training step takes for each LR pixel of its batch.

        Args:
            scales: Those that are trained.

        Returns:
            int: Rather too little than too much; None where nothing is known of it.
        """
        return None

    def forward(self, lr, scale):
        """Takes a batch through the network, whole.

        Args:
            lr: float32 (N, H, W, 3), RGB in [0, 255].
            scale: Upscaling factor, one of `self.scales`, a Python int.

        Returns:
            float32 (N, H * scale, W * scale, 3), not rounded and not clipped.
        """
        x = lr
        for part in self.parts(scale):
            x = part.run(x)
        return x

    def upscale(self, image, scale=4):
        """Enlarges a picture of any size, in tiles that fit the memory.

        Args:
            image: uint8 (H, W, 3), RGB.
            scale: Upscaling factor, one of `self.usable_scales`.

        Returns:
            uint8 (H * scale, W * scale, 3), RGB.

        Raises:
            InputError: The model does not do the scale, or it is no such picture.
        """
        if scale not in self.usable_scales:
            does = ", ".join(map(str, self.usable_scales))
            raise InputError(f"{self.name} upscales by {does}. Received scale={scale}.")
        return upscale_array(self.stages(scale), image)

    def parts(self, scale):
        """The network cut into parts; `freeze.py` names what lies between them.

        Args:
            scale: Upscaling factor, one of `self.scales`.

        Returns:
            list of `upscaling.tiles.Stage`, not compiled; each enlarges by a whole
            factor, which may be 1.
        """
        raise InputError(f"--model={self.name} has no network to freeze.")

    def stages(self, scale):
        """The model as `upscaling.tiles.upscale_image` takes pictures through it.

        Args:
            scale: Upscaling factor, one of `self.scales`.

        Returns:
            list of `upscaling.tiles.Stage`, compiled once and kept.
        """
        raise NotImplementedError

    def make_sr(self, name, lr, scale):
        """Makes the SR image of a named LR image; see `upscale`."""
        return self.upscale(lr, scale)

    def find_scales(self):
        """Lists the scales to use it at."""
        return sorted(self.usable_scales)

    @staticmethod
    def has_passes():
        """Whether its scale is a pass of 4PP-EUSR, as in files of the TF1 code."""
        return False

    def pictures(self, lr, scale):
        """What TensorBoard shows between input and truth.

        Args:
            lr: float32 (N, H, W, 3), RGB in [0, 255].
            scale: Upscaling factor, one that the model is trained at.

        Returns:
            dict: From a tag to float32 (N, H * scale, W * scale, 3), not clipped.
        """
        return {"output": self.forward(lr, scale)}

    def remarks(self):
        """What a person should know about the training by now.

        Asked at each log; what was said is said again only after it went on as long.

        Returns:
            list of str.
        """
        return []

    def learning_rates(self):
        """From an optimizer's name to its learning rate at the present step."""
        return {}

    def roots(self):
        """From the name of each root of a checkpoint to what is stored in it."""
        return {}

    def restore(self, prefix, target=None, resume=False, use_ema=True):
        """Reads weights, and optimizers where the model has them.

        Args:
            prefix: As `training.checkpoints.find` returns it.
            target: Name of the only root to read, for example `"generator"`;
                None reads all.
            resume: Whether the step is read too, so that a run goes on.
            use_ema: Whether a run that does not go on takes the averaged weights,
                where the checkpoint holds some, in place of the last.

        Raises:
            InputError: The checkpoint does not fit, or there is no such root.
        """
        roots = self.roots()
        stored = checkpoints.list_roots(prefix)
        if "ema" not in stored or not resume:
            roots.pop("ema", None)
        if not resume:
            roots.pop("state", None)
        if target is not None:
            if target not in roots:
                raise InputError(
                    f"--restore_target={target} does not exist; --model={self.name} "
                    f"has {', '.join(sorted(roots))}."
                )
            roots = {target: roots[target]}
        missing = sorted(set(roots) - set(stored))
        if missing and len(missing) < len(roots) and "generator" in stored:
            raise InputError(
                f"{prefix} holds no {' and no '.join(missing)}, which "
                f"--model={self.name} has. --restore_target=generator takes the "
                "generator alone, with fresh optimizers, from step 0."
            )
        checkpoints.restore(prefix, roots)
        if "generator" in roots:
            self.take_learned(checkpoints.describe(prefix))
        if use_ema and not resume and "ema" in stored and "generator" in roots:
            checkpoints.restore(prefix, {"ema": roots["generator"]})

    @property
    def step(self):
        """Training steps done, an int."""
        return 0 if self.state is None else int(self.state.step.numpy())
