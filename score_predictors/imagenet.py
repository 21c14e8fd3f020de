"""Downloads ImageNet's weights for MobileNetV2 to the cache folder of Keras."""

import errno
import http.client
import os
import urllib.request
from pathlib import Path

import h5py

from console.errors import InputError
from console.files import written_whole
from console.progress import Progress, say

# The widths that weights were published for.
ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
SIZE = 192
HOST = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2"
# Seconds without an answer after which a download fails.
PATIENCE = 15.0
# Errors of a disk that is full or cannot be written to.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


def fetch(alpha: float) -> Path:
    """Finds the weights of a width, or downloads them; returns a complete HDF5 file.

    Raises:
        InputError: There are no weights of this width, or the download fails.
        OSError: The file cannot be written, for example on a full disk.
    """
    if alpha not in ALPHAS:
        raise InputError(
            f"--mobilenetv2_alpha={alpha:g}: ImageNet's weights exist for "
            f"{', '.join(map(str, ALPHAS))}; --mobilenetv2_weights=none starts from "
            "random weights."
        )
    name = (
        f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{SIZE}"
        "_no_top.h5"
    )
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    path = folder / "models" / name
    if not is_whole(path):
        address = f"{HOST}/{name}"
        say(f"Downloading ImageNet's weights, {name}")
        with written_whole(path) as aside:
            _download(address, aside)
            if not is_whole(aside):
                raise _cannot(address, "the received file is not a complete HDF5 file")
    return path


def _download(address, path):
    """Downloads a file.

    Raises:
        InputError: The server refused, or did not answer for `PATIENCE` seconds.
        OSError: The file cannot be written.
    """
    try:
        with (
            urllib.request.urlopen(address, timeout=PATIENCE) as source,
            open(path, "wb") as file,
            Progress(source.length or 0, "Downloading", "byte", True) as progress,
        ):
            while part := source.read(1 << 16):
                file.write(part)
                progress.advance(len(part))
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise
        raise _cannot(address, str(error)) from None


def is_whole(path: Path) -> bool:
    """Whether a file opens as HDF5, which fails if its end is missing."""
    try:
        with h5py.File(path, "r"):
            return True
    except OSError:
        return False


def _cannot(address, reason):
    reason = " ".join(reason.split()) or "no reason was given"
    return InputError(
        f"ImageNet's weights cannot be downloaded ({reason}). Download {address} (of "
        "the project keras-applications) elsewhere and give it with "
        "--mobilenetv2_weights=FILE, or start with --mobilenetv2_weights=none."
    )
