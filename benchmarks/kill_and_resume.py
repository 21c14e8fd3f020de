"""Names the replacement of a script that was removed."""

import sys

sys.exit(
    "Error: benchmarks/kill_and_resume.py is gone: KILLS=20 python -m pytest "
    "tests/test_kill_and_resume.py does the same, for 4PP-EUSR with "
    "KILLED_MODEL=4pp_eusr."
)
