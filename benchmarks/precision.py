"""Names the replacement of a script that was removed."""

import sys

sys.exit(
    "Error: benchmarks/precision.py is gone: benchmarks/speed.py --sections=precision "
    "measures the same, with its own flags."
)
