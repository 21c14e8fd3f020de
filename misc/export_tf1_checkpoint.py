"""Names the replacement of a script that was removed."""

import sys

sys.exit(
    "Error: misc/export_tf1_checkpoint.py is gone: freeze.py --format=tf1 takes "
    "the same flags."
)
