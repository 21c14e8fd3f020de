"""Says where the script that had this name has gone."""

import sys

sys.exit("Error: misc/tour.py is gone: misc/demo.py --tour takes the same flags.")
