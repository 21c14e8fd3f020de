"""Says where the script that had this name has gone."""

import sys

sys.exit(
    "Error: misc/export_weights.py is gone: freeze.py --format=weights takes the "
    "same flags."
)
