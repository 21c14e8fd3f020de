"""A model of EUSR's generator: its network and its checkpoints."""

from console.progress import say
from models import stored, tf1_names, tf1_restoring
from models.generator import Generator
from models.generator_settings import MEAN, Architecture
from models.trained import GENERATOR, TrainedModel
from training import checkpoints
from training.arguments import LEARNED
from training.index_files import check_fits


class GeneratorModel(TrainedModel):
    """A model whose pictures the generator of EUSR makes.

    A subclass adds what trains it.

    Attributes:
        architecture: `Architecture`.
        generator: `models.generator.Generator`.
        new_scales: Those that the last checkpoint restored had no path for.
    """

    network_class = staticmethod(Generator.from_architecture)
    new_scales = ()

    @classmethod
    def read_settings(cls, prefix, arguments):
        """See `TrainedModel.read_settings`; checkpoints of the TF1 code do, too."""
        if arguments is not None:
            architecture = super().read_settings(prefix, arguments)
        else:
            fields = tf1_names.read_architecture(prefix)
            # It was a flag of the TF1 code, and is not in its files.
            fields["rgb_mean"] = Architecture.given().get("rgb_mean", MEAN)
            architecture = stored.read_settings(prefix, Architecture, fields)
        # Before such a network is made: what is claimed may be larger than the memory.
        check_fits(prefix, 4 * architecture.count_parameters())
        return architecture

    def tf1_layers(self):
        """The layers that the TF1 code has, too.

        Returns:
            dict: From a root's name to a dict as `models.tf1_names` makes it.
        """
        return {GENERATOR: tf1_names.of_generator(self.generator)}

    def check_network(self, prefix, resume):
        """See `TrainedModel.check_network`; a start may add scales."""
        theirs = self.read_settings(prefix, checkpoints.describe(prefix))
        ours = self.architecture
        new = set(ours.model_scales) - set(theirs.model_scales)
        # A run goes on with all that it had, and files of the TF1 code have all.
        is_start = not resume and not tf1_names.is_tf1(prefix)
        but = ("model_scales",) if is_start or not new else ()
        stored.check_same(prefix, theirs, ours, but)
        self.new_scales = sorted(new)

    def read_weights(self, prefix, target, resume, use_ema):
        """See `TrainedModel.read_weights`."""
        if tf1_names.is_tf1(prefix):
            tf1_restoring.restore(self, prefix, target)
            self.take_learned(None)
        elif self.new_scales and target in (None, GENERATOR):
            self._read_shared(prefix, use_ema)
        else:
            super().read_weights(prefix, target, resume, use_ema)

    def _read_shared(self, prefix, use_ema):
        """Reads what a network of fewer scales has; the rest begins as new."""
        root = GENERATOR
        if use_ema and "ema" in checkpoints.list_roots(prefix):
            root = "ema"
        names = [f"x{scale}" for scale in self.new_scales]
        taken = [
            weight
            for weight in self.generator.weights
            if weight.path.split("/")[1].partition("_")[0] not in names
        ]
        checkpoints.restore(prefix, {root: checkpoints.to_tree(taken)})
        self.take_learned(checkpoints.describe(prefix))
        if self.learned_scales is None:  # At most at those that it has.
            old = [scale for scale in self.scales if scale not in self.new_scales]
            self.take_learned({LEARNED: old})
        say(
            f"The network of {prefix} has no {' and no '.join(names)}: its own parts "
            "for that begin as new, and so does all beside the generator."
        )
