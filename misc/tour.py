"""Names the replacement of a script that was removed."""

import sys

sys.exit("Error: misc/tour.py is gone: misc/demo.py --tour takes the same flags.")
