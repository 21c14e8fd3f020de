"""Downloads ImageNet's weights for MobileNetV2 to the cache folder of Keras."""

import errno
import os
import socket
import sys
import tempfile
from pathlib import Path

import h5py
import keras

from console.errors import InputError
from console.progress import say

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
            f"{', '.join(map(str, ALPHAS))}; --mobilenetv2_weights=none starts from "
            "random weights."
        )
    name = (
        f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{SIZE}"
        "_no_top.h5"
    )
    path = find_folder() / name
    if not is_whole(path):
        address = f"{HOST}/{name}"
        say(f"Downloading ImageNet's weights, {name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Keras writes under the final name. In a private folder, an incomplete file or
        # the download of another process does no harm.
        with tempfile.TemporaryDirectory(dir=path.parent) as aside:
            _download(name, address, aside)
            if not is_whole(Path(aside) / name):
                raise _cannot(address, "the received file is not a complete HDF5 file")
            os.replace(Path(aside) / name, path)
    return path


def find_folder() -> Path:
    """Returns the folder in which Keras keeps downloaded weights."""
    base = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(base) / "models"


def _download(name, address, folder):
    """Downloads a file.

    Raises:
        InputError: The server refused, or did not answer for `PATIENCE` seconds.
        OSError: The file cannot be written.
    """
    patience = socket.getdefaulttimeout()
    was_interactive = keras.config.is_interactive_logging_enabled()
    socket.setdefaulttimeout(PATIENCE)
    if not sys.stdout.isatty():  # Keras would write a line for each received chunk.
        keras.config.disable_interactive_logging()
    try:
        keras.utils.get_file(name, address, cache_dir=folder, cache_subdir=".")
    # Keras raises a plain Exception for errors of the server.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise
        raise _cannot(address, str(error)) from None
    finally:
        socket.setdefaulttimeout(patience)
        if was_interactive:
            keras.config.enable_interactive_logging()


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
