import contextlib
import json
import os
import signal
import socket
import threading

import pytest

from console.errors import InputError
from tests.pictures import write_pictures
from tests.small import SMALL_FLAGS
from tests.workers import free_addresses, start
from training import cluster, replicas

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS_BETWEEN_REMINDERS", 0.3)
    monkeypatch.setattr(cluster, "SECONDS_BETWEEN_TRIES", 0.02)


@contextlib.contextmanager
def later(seconds, function, *arguments):
    """Calls a function some time after the block has begun."""
    timer = threading.Timer(seconds, function, arguments)
    timer.start()
    yield
    timer.join()


def listen(address):
    host, port = address.split(":")
    return socket.create_server((host, int(port)))


def test_who_is_absent_is_said_again_until_all_are_there(patient, capsys):
    addresses, opened = free_addresses(3), []
    with (
        listen(addresses[0]),
        later(1, lambda: opened.append(listen(addresses[2]))),
    ):
        cluster.wait_for_all(addresses, 1)
    opened[0].close()
    first, *others = capsys.readouterr().out.splitlines()
    waiting = "Waiting for workers: "
    assert first == f"{waiting}{addresses[0]}, {addresses[2]}"
    # At 0.3, 0.6 and 0.9 s, unless the machine is slow.
    assert 1 <= len(others) <= 3
    assert set(others) == {f"{waiting}{addresses[2]}"}


# As a worker: in the end TensorFlow's server takes over the port.
WORKER = """
import socket, time
from training import cluster
cluster.wait_for_all({addresses!r}, 1)
server = socket.create_server(("127.0.0.1", {port}))
print("All there", flush=True)
time.sleep(60)
"""


def test_workers_find_each_other_and_leave_their_ports_free(patient):
    addresses = free_addresses(2)
    port = addresses[1].rpartition(":")[2]
    other = start(["-c", WORKER.format(addresses=addresses, port=port)])
    cluster.wait_for_all(addresses, 0)
    with listen(addresses[0]):
        assert "All there\n" in iter(other.stdout.readline, "")
    other.kill()
    other.communicate()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_wait(patient, capsys, number):
    with (
        later(0.2, os.kill, os.getpid(), number),
        pytest.raises(SystemExit) as ended,
    ):
        cluster.wait_for_all(free_addresses(2), 0)
    assert ended.value.code == 128 + number
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"Stopped by {number.name} while waiting for other workers."


def test_a_worker_that_waits_ends_when_asked_and_has_written_nothing(tmp_path):
    images = write_pictures(tmp_path / "HR", [(48, 60)])
    folder = tmp_path / "run"
    command = [
        *("train.py", f"--data_truth_path={images}", f"--train_path={folder}"),
        *(f"--cache_path={tmp_path}/cache", "--scales=2", *SMALL_FLAGS),
    ]
    worker = start(command, free_addresses(2))
    assert worker.stdout.readline().startswith("Waiting for workers")
    worker.send_signal(signal.SIGTERM)
    out, errors = worker.communicate(timeout=30)
    assert (worker.returncode, errors) == (143, "")
    assert out == "Stopped by SIGTERM while waiting for other workers.\n"
    assert not folder.exists()


def test_a_port_that_is_taken_is_told():
    addresses = free_addresses(2)
    with listen(addresses[0]), pytest.raises(InputError, match="cannot listen at port"):
        cluster.wait_for_all(addresses, 0)


def test_two_names_of_one_address_are_refused():
    (address,) = free_addresses(1)
    port = address.rpartition(":")[2]
    with pytest.raises(InputError, match=f"127.0.0.1:{port} are the same address"):
        cluster.wait_for_all([f"localhost:{port}", f"127.0.0.1:{port}"], 0)


@pytest.mark.parametrize(
    ("task", "others", "named"),
    [
        ("ps", {"ps": ["a:3"]}, "ps"),
        ("evaluator", {"evaluator": ["a:3"]}, "evaluator"),
        ("evaluator", {}, "evaluator"),
        ("master", {"master": ["a:3"]}, "master"),
        # TensorFlow would wait for the server, which is refused.
        ("worker", {"ps": ["a:3"]}, "ps"),
    ],
)
def test_a_task_of_another_type_is_refused(monkeypatch, task, others, named):
    config = {
        "cluster": {"worker": ["a:1", "a:2"], **others},
        "task": {"type": task, "index": 0},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(InputError, match=f'"{named}"; expected chief or worker'):
        replicas.make_team()


def test_workers_need_not_care_for_an_evaluator_of_their_cluster(monkeypatch):
    config = {
        "cluster": {"chief": ["a:1"], "worker": ["a:2"], "evaluator": ["a:3"]},
        "task": {"type": "worker", "index": 0},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert cluster.read_cluster() == (["a:1", "a:2"], 1)
