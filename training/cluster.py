"""The workers that TF_CONFIG names, and the wait until all have started."""

import collections
import contextlib
import json
import os
import socket
import sys
import time

from console.errors import InputError
from console.progress import say
from training.stopping import StopRequest

TASK_TYPES = ("chief", "worker")
SECONDS_BETWEEN_REMINDERS = 60.0
SECONDS_BETWEEN_TRIES = 0.5
SECONDS_FOR_ANSWER = 2.0


def read_cluster() -> tuple[list[str], int] | tuple[None, None]:
    """Reads the addresses of the workers from TF_CONFIG, and this process' index.

    The chief's address is the first; both are None for a single worker.

    Raises:
        InputError: TF_CONFIG is not JSON, or the task of this process is missing or
            is not a worker's.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return None, None
    expected = (
        'expected {"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
        '"worker", "index": 0}}.'
    )
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        workers = [*cluster.get("chief", ()), *cluster.get("worker", ())]
        _check_task_types(task["type"], cluster)
        place = int(task["index"])
        index = workers.index(cluster[task["type"]][place])
        if place < 0 or len(set(map(_split, workers))) < len(workers):
            raise ValueError
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise InputError(f"TF_CONFIG={text}: {expected}") from None
    return (workers, index) if len(workers) > 1 else (None, None)


def _check_task_types(mine, cluster):
    """Refuses types of tasks that a training here does not use.

    TensorFlow waits for all tasks of a cluster but evaluators.
    """
    for kind in (mine, *cluster):
        if kind not in TASK_TYPES and (kind == mine or kind != "evaluator"):
            raise InputError(
                f'TF_CONFIG has a task of type "{kind}"; expected chief or worker: '
                "train.py has no parameter servers, and it validates by itself "
                "(--validate_truth_path). Make all processes workers."
            )


def wait_for_all(workers: list[str], index: int) -> None:
    """Waits until every other worker answers at its address.

    Each worker listens at its own address meanwhile. TensorFlow would also wait, but
    it holds Python's lock, so that no signal handler and no thread can run, and it
    treats SIGTERM as a notice of preemption.

    Raises:
        InputError: This worker cannot listen at its address, or shares it.
        SystemExit: A signal came.
    """
    absent = collections.deque(workers[:index] + workers[index + 1 :])
    own = _resolve(workers[index])
    for address in absent:
        if own & _resolve(address):
            raise InputError(
                f"TF_CONFIG: {workers[index]}, this worker, and {address} are the same "
                "address; give each worker its own."
            )
    due = time.monotonic()
    with _listening(workers[index]), StopRequest() as stop:
        while absent:
            if time.monotonic() >= due:
                say(f"Waiting for workers: {', '.join(absent)}")
                due = time.monotonic() + SECONDS_BETWEEN_REMINDERS
            if _answers(absent[0]):
                absent.popleft()
            else:
                absent.rotate(-1)
                time.sleep(SECONDS_BETWEEN_TRIES / len(absent))
            if stop.signal is not None:
                say(f"Stopped by {stop.signal.name} while waiting for other workers.")
                sys.exit(128 + stop.signal)


@contextlib.contextmanager
def _listening(address):
    """Listens at this worker's port on all interfaces, as TensorFlow does."""
    port, is_dual = _split(address)[1], socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if is_dual else socket.AF_INET
    try:
        server = socket.create_server(("", port), family=family, dualstack_ipv6=is_dual)
    except OSError as error:
        raise InputError(
            f"TF_CONFIG: this worker, {address}, cannot listen at port {port} "
            f"({os.strerror(error.errno)}); stop the process that does, or change the "
            "port for all workers."
        ) from None
    with server:
        yield


def _answers(address):
    """Whether a process listens at an address."""
    try:
        with socket.create_connection(_split(address), SECONDS_FOR_ANSWER) as found:
            # On the same machine a free port may by chance connect to itself.
            return found.getsockname() != found.getpeername()
    except OSError:
        return False


def _resolve(address):
    """Returns the set of (IP address, port) of an address; empty if unknown."""
    try:
        found = socket.getaddrinfo(*_split(address), type=socket.SOCK_STREAM)
    except OSError:  # Its machine may not have started yet.
        return set()
    return {place[:2] for *_, place in found}


def _split(address):
    """Splits an address into host and port; a ValueError if it is not `host:port`."""
    host, _, port = address.rpartition(":")
    if not host or not 0 < int(port) < 2**16:
        raise ValueError(address)
    return host.strip("[]"), int(port)
