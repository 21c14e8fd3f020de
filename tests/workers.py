"""Starts the workers of a training on this machine."""

import json
import os
import socket
import subprocess
import sys

from tests.forked import ROOT, Script


def free_addresses(count):
    """Addresses on this machine that nobody listens to."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = ["{}:{}".format(*one.getsockname()) for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def start(command, addresses=(), index=0, is_forked=True):
    """Starts a Python program, as one of several workers if there are addresses.

    Args:
        command: Words after `python`.
        addresses: Addresses of all workers.
        index: Which of them this one is.
        is_forked: Whether TensorFlow's import is saved. Then TensorFlow prints what it
            would not print otherwise when a worker is lost.

    Returns:
        `subprocess.Popen`, or what behaves like it.
    """
    environment = dict(os.environ)
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # This process' own choice.
    if addresses:
        task = {"type": "worker", "index": index}
        cluster = {"worker": list(addresses)}
        environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    if is_forked:
        return Script(command, env=environment)
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
