"""What a loader of LR and HR images is made from."""

import dataclasses

from console.flags import one_or_all
from console.settings import PathName, Settings, option


@dataclasses.dataclass(frozen=True)
class PairedSettings(Settings):
    """Where the images are and how patches are drawn.

    Attributes:
        scales: Scales to draw.
        lr_patch_size: Side of the LR patches; None for whole pictures only.
        batch_size: Patches in a batch.
        seed: Of all that is drawn.
        of: What the flags that gave the folders begin with, for messages.
        scale_weights: How often each of the scales is drawn, relative to the others,
            whole numbers; None for equally.
    """

    changes = "freely"

    truth_path: tuple[PathName, ...] = option(
        ("HR",),
        "Folder of HR images, or @ and a list; may be given again.",
        flag="data_truth_path",
    )
    input_path: tuple[PathName, ...] | None = option(
        None,
        "Folder with x2/, x4/, x8/ of LR images, named like the HR images or, as "
        "in DIV2K's archives, with x2 behind the name. If not given, they are made "
        "from HR as MATLAB's imresize does.",
        flag="data_input_path",
    )
    scales: tuple = (2, 4, 8)
    lr_patch_size: int | None = None
    batch_size: int | None = None
    seed: int = 0
    cache_path: PathName | None = option(
        None,
        "Folder for the decoded images; the user's cache folder if not given.",
        flag="cache_path",
    )
    in_memory: bool = option(
        False, "Keep all decoded images in memory.", flag="data_cached"
    )
    of: str = "--data"
    scale_weights: tuple | None = None

    @classmethod
    def from_flags(cls, **others):
        """See `Settings.from_flags`."""
        settings = super().from_flags(**others)
        return settings.at(settings.truth_path, settings.input_path)

    def at(self, truth_path, input_path, **others):
        """The same of other images.

        Args:
            truth_path: Of HR images; see the flags.
            input_path: Of LR images.
            **others: Other fields.
        """
        paths = {"truth_path": truth_path, "input_path": input_path}
        paths = {name: one_or_all(path) for name, path in paths.items()}
        return dataclasses.replace(self, **paths, **others)
