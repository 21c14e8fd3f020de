"""Starts the project's scripts as a user would."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(script, *arguments, cwd=ROOT, **options):
    """Runs `python SCRIPT --flag=value ...`; returns the finished process."""
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": "2"}
    return subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        **options,
    )


def succeed(script, *arguments, **options):
    """Runs a script that has to end well and to say nothing on stderr."""
    done = run(script, *arguments, **options)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stderr == ""
    return done.stdout


def fail(script, *arguments, **options):
    """Runs a script that has to fail with one line; returns the line."""
    done = run(script, *arguments, **options)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]
