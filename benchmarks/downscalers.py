"""Names the replacement of a script that was removed."""

import sys

sys.exit(
    "Error: benchmarks/downscalers.py is gone: python -m pytest "
    "tests/test_downscale_generators.py -k b100 compares the same images."
)
