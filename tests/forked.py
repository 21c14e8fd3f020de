"""Starts scripts in processes that have imported TensorFlow, or JAX, already.

A server imports it once and forks for each script, which saves seconds a start. Both
start their threads and look for devices when they are first used, so a forked process
behaves as a new one. It does not where TensorFlow reads an environment variable during
its import: `subprocess` is for these, and for tests of the import itself.
"""

import atexit
import contextlib
import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from multiprocessing import forkserver, reduction
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
CONTEXT = multiprocessing.get_context("forkserver")
# Without TensorFlow, JAX's runs on Keras' other backend.
TENSORFLOW, JAX = forkserver.ForkServer(), forkserver.ForkServer()
TENSORFLOW.set_forkserver_preload(["tests.forked_imports"])
JAX.set_forkserver_preload(["tests.forked_jax"])


class Script:
    """A script that runs. Its methods are those of `subprocess.Popen`.

    Attributes:
        stdout, stderr: Text that the script prints.
        returncode: Its exit status, or the negative number of a signal; None while it
            runs.
    """

    def __init__(self, command, cwd=ROOT, env=None, server=TENSORFLOW):
        self.args = [str(word) for word in command]
        self.returncode = None
        pipes = [os.pipe() for _ in range(2)]
        self.stdout, self.stderr = (
            open(read, errors="replace")  # noqa: SIM115 - as long as the script
            for read, _ in pipes
        )
        environment = dict(os.environ if env is None else env)
        ends = [_Inherited(write) for _, write in pipes]
        self._process = CONTEXT.Process(
            target=_run, args=(self.args, str(cwd), environment, *ends)
        )
        connect = server.connect_to_new_process
        with (
            contextlib.chdir(ROOT),  # Where the server finds this file.
            mock.patch.object(forkserver, "connect_to_new_process", connect),
        ):
            self._process.start()
        for _, write in pipes:
            os.close(write)
        self.pid = self._process.pid

    def poll(self):
        """Exit status; None while the script runs."""
        self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout=None):
        """Waits for the end; returns the exit status."""
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def communicate(self, timeout=None):
        """Waits for the end; returns the rest of what the script prints."""
        said = ["", ""]

        def read(index, stream):
            said[index] = stream.read()

        readers = [
            threading.Thread(target=read, args=each, daemon=True)
            for each in enumerate((self.stdout, self.stderr))
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        return tuple(said)

    def send_signal(self, number):
        """Sends a signal to the script."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        """Kills the script."""
        self.send_signal(signal.SIGKILL)


def run(command, timeout=300, **options):
    """Runs a command of `python` to its end, as `subprocess.run` does."""
    script = Script(command, **options)
    try:
        said = script.communicate(timeout)
    finally:
        script.kill()
    return subprocess.CompletedProcess(script.args, script.returncode, *said)


class _Inherited:
    """A descriptor that the forked process gets, under a number of its own."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def __reduce__(self):
        return _detach, (reduction.DupFd(self.descriptor),)


def _detach(descriptor):
    return descriptor.detach()


def _run(argv, cwd, environment, stdout, stderr):
    """Runs as `python SCRIPT ...`, `python -m` or `-c`; this is the forked process."""
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for descriptor in (stdout, stderr):
        os.close(descriptor)
    # As a new process has them: a pipe is written in blocks.
    sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    how, sys.argv = argv[0], argv
    if how in ("-m", "-c"):
        sys.argv = [how, *argv[2:]]
    else:
        sys.path.insert(0, str(Path(how).resolve().parent))
    try:
        if how == "-m":
            runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        elif how == "-c":
            exec(argv[1], {"__name__": "__main__"})  # noqa: S102
        else:
            runpy.run_path(how, run_name="__main__")
    finally:
        # multiprocessing ends a process without them.
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
