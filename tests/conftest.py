"""What all tests share."""

import contextlib
import ctypes
import gc
import signal

import pytest

from console import quiet

with quiet.imports():
    import tensorflow

# A shell starts what runs in its background with Ctrl-C ignored, and the scripts that
# tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def memory_given_back():
    """Gives back what a module's tests took: networks, graphs, the allocator's hoard.

    Scripts go by the memory that is used and free, and some run in this process.
    """
    yield
    tensorflow.keras.backend.clear_session()
    gc.collect()
    # Not every C library has it.
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
