"""The verbs that every predictor has; the scripts use nothing else."""

from training.trained import Trained


class Predictor:
    """A network that predicts how people would score a picture.

    Attributes:
        name: Its name in the registry.
        step_options: Names of the fields of `training.options.StepOptions` that its
            training heeds; flags of the others are refused.
        settings_classes: Those of the settings (`console.settings.Settings`) that it is
            made from.
        network: Keras model from float32 (N, H, W, 3) in [-1, 1], any height and
            width, to scores (N, 10), which sum to 1, and features (N, F).
        backbone: The part of it from the picture to the features.
        head: The layer from the features to the scores.
        trains_head_only: Whether only the head is trained.
        dropout: Share of the features that a training step drops.
    """

    name = None
    # Whatever the network, but for how it computes.
    step_options = tuple(n for n in Trained.step_options if n != "precision")
    settings_classes = ()
    network = backbone = head = None
    trains_head_only = False
    dropout = 0.0

    @classmethod
    def from_flags(cls, architecture=None, restore_path=None, precision="float32"):
        """Makes the predictor that the flags describe, its weights not yet loaded.

        Args:
            architecture: `architecture()` of the run that goes on, which then count;
                None for a new one.
            restore_path: The weights that a new run starts from; None for others.
            precision: One of `training.options.POLICIES`.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    def load_start(self, path=None):
        """Loads what a new run starts from.

        Args:
            path: Weights; None for those that the predictor's flags say.

        Returns:
            str: What that is, for a person.

        Raises:
            InputError: It cannot be had.
        """
        raise NotImplementedError

    def architecture(self):
        """What the predictor was made from, for `from_flags` when a run goes on."""
        raise NotImplementedError

    def attributes(self):
        """What an `.h5` file says beside the weights: from a name to a value."""
        raise NotImplementedError

    def copy(self):
        """Makes another like it, with weights of its own."""
        raise NotImplementedError

    @property
    def moving_averages(self):
        """The variables that follow the pictures trained on: batch normalisation's."""
        return [] if self.trains_head_only else self.network.non_trainable_weights

    @property
    def trained_weights(self):
        """The variables that are trained."""
        part = self.head if self.trains_head_only else self.network
        return part.trainable_variables
