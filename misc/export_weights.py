"""Names the replacement of a script that was removed."""

import sys

sys.exit(
    "Error: misc/export_weights.py is gone: freeze.py --format=weights takes the "
    "same flags."
)
