"""Downloads ImageNet's weights for MobileNetV2 to the cache folder of Keras."""

import errno
import functools
import socket
import sys
from pathlib import Path

import h5py
import keras

from console.errors import InputError

# The widths that weights were published for.
ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
SIZE = 192
HOST = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2"
# Seconds without an answer after which a download fails.
PATIENCE = 15.0
# Errors of a disk that is full or cannot be written to.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


def fetch(alpha: float) -> Path:
    """Finds the weights, or downloads them.

    Args:
        alpha: Width of the network.

    Returns:
        A complete HDF5 file.

    Raises:
        InputError: There are no weights of this width, or the download fails.
        OSError: The file cannot be written, for example on a full disk.
    """
    if alpha not in ALPHAS:
        raise InputError(
            f"--mobilenetv2_alpha={alpha:g}: ImageNet's weights exist for "
            f"{', '.join(map(str, ALPHAS))}; --mobilenetv2_weights=none starts without "
            "any."
        )
    name = (
        f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{SIZE}"
        "_no_top.h5"
    )
    address, patience = f"{HOST}/{name}", socket.getdefaulttimeout()
    get = functools.partial(keras.utils.get_file, name, address, cache_subdir="models")
    socket.setdefaulttimeout(PATIENCE)
    if not sys.stdout.isatty():  # Keras would write a line for each received chunk.
        keras.config.disable_interactive_logging()
    try:
        path = Path(get())
        # A download that was killed leaves an incomplete file under the final name.
        if not is_whole(path):
            get(force_download=True)
    # Keras raises a plain Exception for errors of the server.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise
        raise _cannot(address, str(error)) from None
    finally:
        socket.setdefaulttimeout(patience)
    if not is_whole(path):
        path.unlink()
        raise _cannot(address, "what came is no whole HDF5 file")
    return path


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
        f"ImageNet's weights cannot be downloaded here ({reason}). Fetch {address} (of "
        "the project keras-applications) elsewhere and give it by "
        "--mobilenetv2_weights=FILE, or start without: --mobilenetv2_weights=none."
    )
