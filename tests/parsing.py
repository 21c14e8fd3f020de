"""Starts scripts that end once their flags are read and checked.

python -m tests.parsing misc/train_jax.py --max_steps=8
"""

import contextlib
import runpy
import sys
from unittest import mock

from console import app


@contextlib.contextmanager
def flags_read_only():
    """Lets scripts make all settings of theirs and of what they chose, and no more."""
    run = app.run

    def read(main, settings=(), choices=(), **options):
        def make_settings():
            classes = [*settings]
            for choice in choices:
                if choice.name is not None:  # Else a checkpoint says it.
                    classes += choice.load().settings_classes
            for each in classes:
                each.from_flags()

        run(make_settings, settings, choices, **options)

    with mock.patch.object(app, "run", read):
        yield


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    with flags_read_only():
        runpy.run_path(sys.argv[0], run_name="__main__")
