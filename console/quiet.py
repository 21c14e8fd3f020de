"""Start-up noise of libraries, silenced; warnings that matter, kept."""

import atexit
import contextlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from console.files import is_writable

# What TensorFlow writes before it reads any setting, however it is set.
NOISE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog"
    r"|I\d{4} \d\d:\d\d:\d\d|I0000 00:00:"
    r"|To enable the following instructions"
    # Said for a machine without an NVIDIA driver, where nothing else is to be expected.
    r"|E\d{4} .*failed call to cuInit: .*\(303\)"
    r"|\d{4}-\d\d-\d\d [\d:.]+: I "
)


# What Keras runs on, whatever the user's other projects do: a script that trains by
# other steps than TensorFlow's sets it before it imports anything of Keras.
backend = "tensorflow"

# What a shell expects of a program that Ctrl-C ended.
INTERRUPTED = 130


def set_up():
    """Sets what TensorFlow and Keras read from the environment."""
    # 1 drops information only: "cannot load the GPU's libraries" is a warning. Among
    # several workers TensorFlow tells the loss of one in twenty lines; we take one.
    level = "3" if os.environ.get("TF_CONFIG") else "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", level)
    os.environ["KERAS_BACKEND"] = backend
    _give_matplotlib_a_folder()


def _give_matplotlib_a_folder():
    """Names a temporary folder to Matplotlib where it could write to none of its own.

    Keras imports it, and it would complain in two lines.
    """
    if "MPLCONFIGDIR" in os.environ:
        return
    home = os.path.expanduser("~")
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    if all(is_writable(Path(base) / "matplotlib") for base in (config, cache)):
        return
    folder = tempfile.mkdtemp(prefix="matplotlib-")
    os.environ["MPLCONFIGDIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def silence_end():
    """Drops what C++ code writes to descriptor 2 while the process ends.

    TensorFlow there tells once more of a step that has failed, which we have told.
    """
    atexit.register(_drop_descriptor)


def _drop_descriptor():
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@contextlib.contextmanager
def descriptor_caught():
    """Catches what is written to descriptor 2, where C++ code writes.

    Yields:
        A function that returns the lines caught so far.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)

        def lines():
            caught.seek(0)
            return caught.read().decode(errors="replace").splitlines()

        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def imports():
    """Drops the known noise of libraries while they are imported.

    `sys.stderr` is not enough, for C++ code writes behind Python's back. Everything
    else is written out afterwards; all of it is when the import fails, for then the
    noise may hold the reason.
    """
    set_up()
    noise, said = NOISE, []
    try:
        with descriptor_caught() as lines:
            try:
                yield
                # Looking for devices is part of starting up, and as talkative.
                if sys.modules.get("tensorflow") is not None:
                    sys.modules["tensorflow"].config.list_physical_devices()
            except KeyboardInterrupt:
                sys.exit(INTERRUPTED)
            except BaseException:
                noise = None
                raise
            finally:
                said = lines()
    finally:
        for line in said:
            if noise is None or (line and not noise.match(line)):
                print(line, file=sys.stderr)
