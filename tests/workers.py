"""Starts the workers of a training on this machine."""

import json
import os
import socket
import subprocess
import sys

from tests.scripts import ROOT


def free_addresses(count):
    """Addresses on this machine that nobody listens to."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = ["{}:{}".format(*one.getsockname()) for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def start(command, addresses=(), index=0):
    """Starts a Python program, as one of several workers if there are addresses."""
    environment = dict(os.environ)
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # This process' own choice.
    if addresses:
        task = {"type": "worker", "index": index}
        cluster = {"worker": list(addresses)}
        environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
