"""ImageNet's weights for MobileNetV2: downloaded once, into the folder of Keras."""

import os
import queue
import threading
import time
import urllib.request
from pathlib import Path

import h5py

from console.errors import InputError
from console.files import written_whole
from console.progress import say

# The widths that weights were published for.
ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
SIZE = 192
HOST = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2"
# Seconds until the first bytes and between any two, after which it is given up.
PATIENCE = 15.0
CHUNK = 1 << 16


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
    path = find_folder() / name
    if not is_whole(path):
        address = f"{HOST}/{name}"
        say(f"Downloading ImageNet's weights, {name}")
        # So that Ctrl-C and SIGTERM leave nothing half-written.
        with written_whole(path) as aside:
            download(address, aside)
            if not is_whole(aside):
                raise _cannot(address, "what came is no whole HDF5 file")
    return path


def find_folder():
    """Where Keras keeps such files."""
    base = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(base) / "models"


def is_whole(path):
    """Whether a file is there and opens; HDF5 notices when its end is missing."""
    try:
        with h5py.File(path, "r"):
            return True
    except OSError:
        return False


def download(address, path):
    """Writes what an address holds to a file.

    Args:
        address: Its URL.
        path: The file.

    Raises:
        InputError: Nothing came for `PATIENCE` seconds, or the server refused.
        OSError: The file cannot be written.
    """
    chunks = queue.Queue()
    # A thread, since neither Python nor the system limits how long a name is looked up.
    threading.Thread(target=_read, args=(address, chunks), daemon=True).start()
    with open(path, "wb") as file:
        while chunk := _get(chunks, address):
            file.write(chunk)


def _read(address, chunks):
    """Puts what comes into a queue, then empty bytes, or the error in their place."""
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as response:
            while chunk := response.read(CHUNK):
                chunks.put(chunk)
        chunks.put(b"")
    # Whatever it is, the main thread tells it.
    except Exception as error:
        chunks.put(error)


def _get(chunks, address):
    start = time.monotonic()
    try:
        chunk = chunks.get(timeout=PATIENCE)
    except queue.Empty:
        seconds = time.monotonic() - start
        raise _cannot(address, f"nothing came for {seconds:.0f} s") from None
    if isinstance(chunk, Exception):
        raise _cannot(address, str(getattr(chunk, "reason", None) or chunk)) from None
    return chunk


def _cannot(address, reason):
    reason = " ".join(reason.split()) or "no reason was given"
    return InputError(
        f"ImageNet's weights cannot be downloaded here ({reason}). Fetch {address} (of "
        "the project keras-applications) elsewhere and give it by "
        "--mobilenetv2_weights=FILE, or start without: --mobilenetv2_weights=none."
    )
