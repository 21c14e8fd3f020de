"""DIV2K, and any other folder of HR images with LR images of the same names.

Agustsson and Timofte, "NTIRE 2017 challenge on single image super-resolution".
"""

from dataloaders.paired import PairedLoader


class DIV2K(PairedLoader):
    """HR images in folders, LR images in `x2/`, `x4/`, `x8/` of others."""
