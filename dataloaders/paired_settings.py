"""The settings of a loader of LR and HR images."""

import dataclasses
from typing import Any, Self

from console.errors import InputError
from console.flags import one_or_all
from console.settings import PathName, Settings, is_given, option
from dataloaders.degradation_settings import BICUBIC
from dataloaders.degradations import open_degradation
from dataloaders.sources import Paths


@dataclasses.dataclass(frozen=True)
class PairedSettings(Settings):
    """Location of the images, and how patches are drawn.

    Attributes:
        scales: Scales to draw.
        lr_patch_size: Side of the LR patches; None for whole pictures only.
        batch_size: Patches in a batch; None for whole pictures only.
        of: Prefix of the flags that gave the folders, for messages.
        scale_weights: Relative frequency of each scale; None for equal frequencies.
    """

    changes = "freely"

    truth_path: tuple[PathName, ...] = option(
        ("HR",),
        "Folder of HR images, or @ and a file that lists them; may be repeated.",
        flag="data_truth_path",
    )
    input_path: tuple[PathName, ...] | None = option(
        None,
        "Folder with LR images in x2/, x4/, x8/, with the names of the HR images or, "
        "as in DIV2K's archives, these followed by x2. If not given, LR images are "
        "made from HR as by MATLAB's imresize.",
        flag="data_input_path",
    )
    scales: tuple[int, ...] = (2, 4, 8)
    lr_patch_size: int | None = None
    batch_size: int | None = None
    seed: int = 0
    cache_path: PathName | None = option(
        None,
        "Folder for the decoded images; if not given, the user's cache folder.",
        flag="cache_path",
    )
    in_memory: bool = option(
        False, "Keep all decoded images in memory.", flag="data_cached"
    )
    of: str = "--data"
    scale_weights: tuple[int, ...] | None = None
    degradation: str = option(
        BICUBIC,
        "How LR images are made from HR: bicubic, as by MATLAB's imresize; photo, with "
        "blur, noise and compression as of photographs; photo_mild; photo_strong; or "
        "the path of a .json file with values of dataloaders/photo.json.",
        changes="no",
    )
    degradation_seed: int = option(
        0,
        "Seed of the degradations of whole pictures, which also depend on the "
        "pictures' names.",
        least=0,
    )
    degradation_uses: int = option(
        8,
        "Patches that are cut from a degraded region of a picture, on average, in "
        "different steps; fewer take more processor time.",
        changes="no",
    )

    def check(self) -> None:
        """See `Settings.check`: the degradation is known and valid."""
        if open_degradation(self.degradation) is None:
            for name in ("degradation_seed", "degradation_uses"):
                if is_given(name):
                    raise InputError(f"--{name} needs a --degradation, such as photo.")

    @classmethod
    def from_flags(cls, **others: Any) -> Self:
        """See `Settings.from_flags`."""
        settings = super().from_flags(**others)
        return settings.at(settings.truth_path, settings.input_path)

    def at(self, truth_path: Paths, input_path: Paths | None, **others: Any) -> Self:
        """Makes the same settings for other images, and with `others` replaced."""
        paths: dict[str, Any] = {"truth_path": truth_path, "input_path": input_path}
        paths = {name: one_or_all(path) for name, path in paths.items()}
        return dataclasses.replace(self, **paths, **others)
