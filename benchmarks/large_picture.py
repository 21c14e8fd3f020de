"""Says where the script that had this name has gone."""

import sys

sys.exit(
    "Error: benchmarks/large_picture.py is gone: benchmarks/speed.py "
    "--sections=large_picture takes --scales, --megapixels and --memory_limit."
)
