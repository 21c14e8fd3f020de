"""What all tests share."""

from console import quiet

with quiet.imports():
    import tensorflow  # noqa: F401 - the first import is the noisy one
