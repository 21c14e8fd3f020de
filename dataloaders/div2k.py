"""DIV2K, and any other folder of HR images with LR images of the same names.

Agustsson and Timofte, "NTIRE 2017 challenge on single image super-resolution".
"""

from absl import flags

from console.flags import define_path, define_paths, one_or_all
from dataloaders.paired import PairedLoader, PairedSettings


class DIV2K(PairedLoader):
    """HR images in folders, LR images in `x2/`, `x4/`, `x8/` of others."""

    @staticmethod
    def define_flags():
        """Declares where the images are and how they are kept."""
        define_paths(
            "data_truth_path",
            ["HR"],
            "Folder of HR images, or @ and a list; may be given again.",
        )
        define_paths(
            "data_input_path",
            None,
            "Folder with x2/, x4/, x8/ of LR images, named like the HR images or, as "
            "in DIV2K's archives, with x2 behind the name. If not given, they are made "
            "from HR as MATLAB's imresize does.",
        )
        flags.DEFINE_bool("data_cached", False, "Keep all decoded images in memory.")
        define_path(
            "cache_path",
            None,
            "Folder for the decoded images; the user's cache folder if not given.",
        )

    @classmethod
    def from_flags(
        cls,
        scales,
        lr_patch_size=None,
        batch_size=None,
        seed=0,
        flag_prefix="--data",
        scale_weights=None,
    ):
        """Makes the loader that the flags describe.

        Args:
            scales: Scales to draw.
            lr_patch_size: Side of the LR patches; None for whole pictures only.
            batch_size: Patches in a batch.
            seed: Of all that is drawn.
            flag_prefix: What the flags of the two folders begin with: `--validate`
                for the images of another script's flags.
            scale_weights: How often each scale is drawn; None for equally.
        """
        values = flags.FLAGS
        prefix = flag_prefix.removeprefix("--")
        return cls(
            PairedSettings(
                truth_path=one_or_all(values[f"{prefix}_truth_path"].value),
                input_path=one_or_all(values[f"{prefix}_input_path"].value),
                scales=tuple(scales),
                scale_weights=scale_weights,
                lr_patch_size=lr_patch_size,
                batch_size=batch_size,
                seed=seed,
                cache_path=values.cache_path,
                in_memory=values.data_cached,
                flag_prefix=flag_prefix,
            )
        )
