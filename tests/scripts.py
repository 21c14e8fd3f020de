"""Starts the project's scripts as a user would."""

import contextlib
import io
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import tensorflow as tf
from absl import app, flags
from tensorflow.python.framework import config

from score_predictors import PREDICTORS
from upscaling import budget

ROOT = Path(__file__).resolve().parents[1]
# A line of `score_predictors.PREDICTORS` that the scripts that tests start have, too.
ONE_LAYER = {"one_layer": "tests.small_predictor:OneLayer"}
WITH_ONE_LAYER = f"""
import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
from score_predictors import PREDICTORS
from upscaling import budget
PREDICTORS.update({ONE_LAYER})
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


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


def succeed(script, *arguments, command=run, **options):
    """Runs a script that has to end well and to say nothing on stderr."""
    done = command(script, *arguments, **options)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stderr == "", done.stderr
    return done.stdout


def fail(script, *arguments, command=run, **options):
    """Runs a script that has to fail with one line; returns the line."""
    done = command(script, *arguments, **options)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


def run_here(script, *arguments, cwd=ROOT, data=None):
    """Runs a script in this process, where TensorFlow need not be imported again.

    That saves seconds a start; a script is run by itself, too, wherever it is not
    the script's own start that a test is about. With a GPU it always is, for which
    devices a process uses cannot be chosen twice.

    Args:
        script: See `run`.
        *arguments: See `run`.
        cwd: See `run`.
        data: Bytes of the standard input; the standard output is bytes then, too.

    Returns:
        The finished process, as `run` does.
    """
    if data is None and tf.config.list_physical_devices("GPU"):
        return run("-c", WITH_ONE_LAYER, ROOT / script, *arguments, cwd=cwd)
    argv = [str(ROOT / script), *map(str, arguments)]
    said, complained = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(data or b""))
    status = 0
    terminate = signal.getsignal(signal.SIGTERM)
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "stdin", given),
        mock.patch.object(sys, "path", [str((ROOT / script).parent), *sys.path]),
        mock.patch.dict(PREDICTORS, ONE_LAYER),
        # As a new process has it: this one keeps what earlier tests have made.
        mock.patch.object(budget, "used_memory", lambda: 10**9),
        contextlib.chdir(cwd),
        flags_of_its_own(),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
    ):
        try:
            runpy.run_path(argv[0], run_name="__main__")
        except SystemExit as exit:
            status = exit.code or 0
            if isinstance(status, str):
                complained.write(f"{status}\n")
                status = 1
        finally:
            signal.signal(signal.SIGTERM, terminate)
            # --deterministic would hold for the tests that follow, too. TensorFlow
            # has no public function that ends it.
            config.disable_op_determinism()
            tf.config.optimizer.set_experimental_options(
                {"arithmetic_optimization": True}
            )
    said.flush()
    written = said.buffer.getvalue()
    output = written.decode() if data is None else written
    return subprocess.CompletedProcess(argv, status, output, complained.getvalue())


def succeed_here(script, *arguments, **options):
    """As `succeed`, in this process."""
    return succeed(script, *arguments, command=run_here, **options)


def fail_here(script, *arguments, **options):
    """As `fail`, in this process."""
    return fail(script, *arguments, command=run_here, **options)


def run_commands_here(monkeypatch, after_images):
    """Makes the demo's commands run in this process.

    Args:
        monkeypatch: pytest's.
        after_images: Called once the sample images are there.

    Returns:
        list: The commands fill it.
    """
    commands = []

    def call(command):
        commands.append(command[1:])
        succeed_here(*command[1:])
        if command[1] == "misc/sample_images.py":
            after_images()
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    return commands


@contextlib.contextmanager
def flags_of_its_own():
    """Keeps what a script declares apart from what others declared before."""
    app.define_help_flags()  # Once, or else they would go with the first script's.
    kept = {}
    for module, declared in flags.FLAGS.flags_by_module_dict().items():
        if module.startswith("absl"):
            kept[module] = list(declared)
    names = {flag.name: flag for declared in kept.values() for flag in declared}
    names |= {flag.short_name: flag for flag in names.values() if flag.short_name}
    tables = {
        "__flags": names,
        "__flags_by_module": kept,
        "__flags_by_module_id": {},
        "__key_flags_by_module": {},
    }
    with contextlib.ExitStack() as stack:
        for name, table in tables.items():
            stack.enter_context(mock.patch.dict(vars(flags.FLAGS), {name: table}))
        yield
