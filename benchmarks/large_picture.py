"""Names the replacement of a script that was removed."""

import sys

sys.exit(
    "Error: benchmarks/large_picture.py is gone: benchmarks/speed.py "
    "--sections=large_picture takes --scales, --megapixels and --memory_limit."
)
