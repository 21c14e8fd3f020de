"""What all tests share."""

import signal

from console import quiet

with quiet.imports():
    import tensorflow  # noqa: F401 - the first import is the noisy one

# A shell starts what runs in its background with Ctrl-C ignored, and the scripts that
# tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
