"""What all tests share."""

import os
import signal

from console import quiet

# Compiles faster, to slower code.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_parallel_codegen_split_count=1",
)

with quiet.imports():
    import tensorflow  # noqa: F401 - the first import is the noisy one

# A shell starts what runs in its background with Ctrl-C ignored, and the scripts that
# tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
