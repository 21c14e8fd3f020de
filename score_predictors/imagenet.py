"""ImageNet's weights for MobileNetV2: downloaded once, into the folder of Keras."""

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
# Seconds without an answer after which a download is given up.
PATIENCE = 15.0
# A disk that is full or cannot be written to.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


def fetch(alpha):
    """Finds the weights, or downloads them.

    Args:
        alpha: Width of the network.

    Returns:
        Path: An HDF5 file that is whole.

    Raises:
        InputError: There are none of this width, or they cannot be downloaded.
        OSError: They cannot be written, for example on a full disk.
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
    if not sys.stdout.isatty():  # Keras would write a line for each part that comes.
        keras.config.disable_interactive_logging()
    try:
        path = Path(get())
        # A download that a kill cut off has the name of a whole one.
        if not is_whole(path):
            get(force_download=True)
    # Keras raises nothing narrower for what a server answers.
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


def is_whole(path):
    """Whether a file opens; HDF5 notices when its end is missing."""
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
