import json
import os
import signal
import time

import numpy as np
import pytest

from console.errors import InputError
from tests import replicas_program
from tests.four_pass import write_predictors
from tests.pictures import write_pictures
from tests.small import SMALL_FLAGS
from tests.workers import free_addresses, start
from training import replicas
from training.replicas import Team

OPTIONS = {"ema_decay": 0.9, "gradient_clip_norm": 5.0}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    sizes = [(48, 60), (50, 44), (64, 70)]
    return str(write_pictures(tmp_path_factory.mktemp("images") / "HR", sizes))


def name_run(images, folder, **arguments):
    """Arguments of `tests.replicas_program.main`."""
    cache = os.path.join(images, "..", "cache")
    fixed = {"images": images, "cache": cache, "folder": str(folder), **OPTIONS}
    return fixed | arguments


def program(*runs):
    """A program that does these runs, one after another."""
    return ["-m", "tests.replicas_program", *map(json.dumps, runs)]


def finish(*processes):
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def alone(images, tmp_path_factory):
    """What one device makes of it."""
    folder = tmp_path_factory.mktemp("alone")
    replicas_program.main(**name_run(images, folder))
    return np.load(folder / "weights0.npy")


def difference(one, two):
    return np.linalg.norm(one - two) / np.linalg.norm(two)


@pytest.fixture(scope="module")
def four_pass_fields(tmp_path_factory):
    # Two passes are enough for a sum of gradients.
    predictors = write_predictors(tmp_path_factory.mktemp("predictors"))
    return {**predictors, "passes": [2, 4], "judge_shift": 3}


@pytest.fixture(scope="module")
def on_two_devices(images, four_pass_fields, tmp_path_factory):
    """Weights that two devices of one process come to: of an EUSR, and of a 4PP-EUSR.

    Both are trained by one process, for its start takes longer than they do.
    """
    eusr, four_pass = (tmp_path_factory.mktemp("devices") for _ in range(2))
    command = program(
        name_run(images, eusr, devices=2, jit_compile=True),
        name_run(images, four_pass, devices=2, four_pass=four_pass_fields),
    )
    finish(start(command))
    return [np.load(folder / "weights0.npy") for folder in (eusr, four_pass)]


def test_two_devices_do_what_one_does(on_two_devices, alone):
    assert difference(on_two_devices[0], alone) < 1e-6


def test_two_devices_train_both_networks_of_4pp_eusr_as_one_does(
    images, on_two_devices, four_pass_fields, tmp_path
):
    replicas_program.main(**name_run(images, tmp_path, four_pass=four_pass_fields))
    one = np.load(tmp_path / "weights0.npy")
    assert difference(on_two_devices[1], one) < 1e-4


def test_two_workers_do_what_one_process_does(images, alone, tmp_path):
    command, addresses = program(name_run(images, tmp_path)), free_addresses(2)
    finish(*[start(command, addresses, index) for index in (0, 1)])
    chief, other = (np.load(tmp_path / f"weights{index}.npy") for index in (0, 1))
    np.testing.assert_array_equal(chief, other)
    assert difference(chief, alone) < 1e-6
    # Only the chief writes: TensorBoard's files come from one process.
    assert len(list(tmp_path.glob("x2/events*[0-9].v2"))) == 1


class Pair:
    """Two workers that train on and on."""

    def __init__(self, images, folder, **options):
        addresses = free_addresses(2)
        command = [
            *("train.py", f"--data_truth_path={images}", f"--train_path={folder}"),
            *(f"--cache_path={folder}.cache", "--max_steps=1000000", "--save_freq=20"),
            *("--log_freq=5", "--batch_size=4", "--input_patch_size=8"),
            *("--scales=2", *SMALL_FLAGS),
        ]
        self.both = [start(command, addresses, index, **options) for index in (0, 1)]
        self.said = ""

    def wait_for(self, text):
        """Waits until the chief says something."""
        for line in self.both[0].stdout:
            self.said += line
            if text in line:
                return
        raise AssertionError(self.both[0].stderr.read())

    def finish(self):
        """What each said, and how each ended."""
        said = [process.communicate(timeout=60) for process in self.both]
        return said, [process.returncode for process in self.both]


def test_workers_stop_together_and_go_on_after_one_was_killed(images, tmp_path):
    folder = tmp_path / "run"
    pair = Pair(images, folder)
    pair.wait_for("Saved")
    pair.both[1].send_signal(signal.SIGTERM)
    said, ended = pair.finish()
    assert ended == [143, 143], said
    stopped = [out.strip().splitlines()[-1] for out, _ in said]
    assert stopped[0] == stopped[1] and "Stopped by SIGTERM after step" in stopped[0]
    step = stopped[0].split()[5].rstrip(";")
    assert (folder / f"model.ckpt-{step}.index").exists()

    pair = Pair(images, folder, is_forked=False)
    pair.wait_for("s/step")
    assert f"Resuming from {folder}/model.ckpt-{step}." in pair.said
    killed = time.monotonic()
    pair.both[1].kill()
    said, ended = pair.finish()
    assert ended == [1, -signal.SIGKILL]
    assert time.monotonic() - killed < 15
    errors = said[0][1].strip().splitlines()
    assert len(errors) == 1, errors
    assert errors[0].startswith("Error: another worker was lost")

    pair = Pair(images, folder)
    pair.wait_for("s/step")
    assert "Resuming from" in pair.said
    for process in pair.both:
        process.send_signal(signal.SIGTERM)
    assert pair.finish()[1] == [143, 143]


def test_a_batch_that_cannot_be_shared_is_refused():
    class Three:
        num_replicas_in_sync = 3

    with pytest.raises(InputError, match="16 is shared by 3 replicas"):
        Team(Three()).check_batch_size(16)


def test_each_worker_takes_its_part_of_a_batch_by_index():
    rows = list(range(8))
    shares = [rows[Team(None, index, 4).share(8)] for index in range(4)]
    assert shares == [[0, 1], [2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        "{}",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": -1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"], "chief": ["a:1"]}, '
        '"task": {"type": "worker", "index": 0}}',
        '{"cluster": [], "task": 3}',
    ],
)
def test_a_damaged_tf_config_is_told(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="expected .*cluster.*host:port"):
        replicas.make_team()


def test_a_single_worker_is_no_team(monkeypatch):
    text = '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'
    monkeypatch.setenv("TF_CONFIG", text)
    assert replicas.make_team().workers == 1
