"""Drops messages of libraries at their start, and keeps warnings that matter."""

import atexit
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator

# Messages that TensorFlow prints before it reads its settings.
NOISE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog"
    r"|I\d{4} \d\d:\d\d:\d\d|I0000 00:00:"
    r"|To enable the following instructions"
    # Expected on a machine without an NVIDIA driver.
    r"|E\d{4} .*failed call to cuInit: .*\(303\)"
    r"|\d{4}-\d\d-\d\d [\d:.]+: I "
    # Keras imports Matplotlib, which uses a temporary folder if it cannot write to the
    # user's, and removes it.
    r"|mkdir -p failed for path .*matplotlib|Matplotlib created a temporary"
    r"|\S*matplotlib is not a writable directory"
)


# Keras' backend, in place of the one in the user's keras.json. A script for another
# backend sets it before it imports Keras.
backend = "tensorflow"

# Exit status after Ctrl-C, as shells expect it.
INTERRUPTED = 130


def set_up() -> None:
    """Sets TensorFlow's and Keras' environment variables."""
    # 1 drops information only: "cannot load the GPU's libraries" is a warning. With
    # several workers, TensorFlow prints twenty lines when one is lost; 3 drops them.
    level = "3" if os.environ.get("TF_CONFIG") else "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", level)
    os.environ["KERAS_BACKEND"] = backend


def silence_end() -> None:
    """Drops output of C++ code to descriptor 2 while the process ends.

    TensorFlow repeats there the error of a failed step, which was already reported.
    """

    def drop():
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

    atexit.register(drop)


@contextlib.contextmanager
def descriptor_caught() -> Iterator[Callable[[], list[str]]]:
    """Captures output to descriptor 2, which C++ code uses.

    Yields:
        Function that returns the lines captured so far.
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
def imports() -> Iterator[None]:
    """Drops known messages of libraries during their import.

    Other lines are printed afterwards, and all lines if the import fails, since they
    may contain the reason.
    """
    set_up()
    noise, said = NOISE, []
    try:
        with descriptor_caught() as lines:
            try:
                yield
                # The search for devices also prints such messages.
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
