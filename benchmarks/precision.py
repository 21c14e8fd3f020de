"""Says where the script that had this name has gone."""

import sys

sys.exit(
    "Error: benchmarks/precision.py is gone: benchmarks/speed.py --sections=precision "
    "measures the same, with flags of its own."
)
