"""DIV2K, and other folders of HR images with LR images of the same names.

Agustsson and Timofte, "NTIRE 2017 challenge on single image super-resolution".
"""

from dataloaders.paired import PairedLoader


class DIV2K(PairedLoader):
    """Loads HR images from folders, LR images from `x2/`, `x4/`, `x8/` of others."""
