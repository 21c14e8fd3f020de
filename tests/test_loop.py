import itertools
import os
import signal
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import (
    EventAccumulator,
)

from console.prefetch import Prefetch
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from tests import forked
from tests.pictures import write_pictures
from tests.small import make_small
from training.loop import Loop, LoopSettings
from training.stopping import TOGETHER, StopRequest


@pytest.fixture
def loader(tmp_path):
    folder = write_pictures(tmp_path / "HR", [(48, 60), (50, 44)])
    loader = PairedLoader(
        PairedSettings(str(folder), None, (2, 4), 8, 2, 0, str(tmp_path / "cache"))
    )
    loader.prepare()
    return loader


def run(loader, folder, model=None, **settings):
    model = model or make_small()
    settings = {"max_steps": 6, "log_freq": 2, "summary_freq": 3, **settings}
    status = Loop(model, loader, folder, LoopSettings(**settings)).run()
    return model, status


def test_it_logs_and_saves_and_always_saves_the_last_step(loader, tmp_path, capsys):
    model, status = run(loader, tmp_path / "run", max_steps=5, save_freq=2)
    assert (model.step, status) == (5, None)
    said = capsys.readouterr().out
    for step in (2, 4, 5):
        assert (tmp_path / "run" / f"model.ckpt-{step}.index").exists()
    lines = [line for line in said.splitlines() if line.startswith("step")]
    assert [line.split()[1] for line in lines] == ["2/5", "4/5"]
    scale = loader.scale_of(1)
    assert f"x{scale}  loss " in lines[0]
    assert "s/step" in lines[0] and lines[0].endswith(" left")


def test_tensorboard_gets_a_run_for_each_scale(loader, tmp_path):
    run(loader, tmp_path / "run", max_steps=8, summary_freq=1)
    tags = {}

    def iterate(file):
        return tf.compat.v1.train.summary_iterator(str(file))

    for scale in (2, 4):
        files = list((tmp_path / "run" / f"x{scale}").glob("events*"))
        assert len(files) == 2  # One says where the session started.
        for event in itertools.chain(*map(iterate, files)):
            for value in event.summary.value:
                tags.setdefault(value.tag, set()).add((scale, event.step))
    assert set(tags) == {
        *("loss", "gradient_norm", "learning_rate", "input", "output", "truth"),
        *("time/step_seconds", "time/waiting_for_data_share", "skipped_steps"),
    }
    drawn = {(loader.scale_of(step), step + 1) for step in range(8)}
    assert all(where == drawn for where in tags.values())


def test_tensorboard_forgets_what_a_killed_run_wrote_beyond_its_checkpoint(
    loader, tmp_path
):
    for first, end in ((0, 8), (3, 6)):
        model = make_small()
        model.state.step.assign(first)
        settings = LoopSettings(max_steps=end, summary_freq=1)
        Loop(model, loader, tmp_path, settings).run()
        time.sleep(1)  # The files' names tell seconds, and their order.
    steps = []
    for scale in (2, 4):
        shown = EventAccumulator(str(tmp_path / f"x{scale}")).Reload()
        steps += [event.step for event in shown.Tensors("loss")]
    assert sorted(steps) == [1, 2, 3, 4, 5, 6]


def test_the_first_step_is_shown(loader, tmp_path):
    run(loader, tmp_path, max_steps=2, summary_freq=100)
    assert len(list(tmp_path.glob("x*"))) == 1


def test_a_run_in_two_parts_ends_as_one_that_ran_through(loader, tmp_path):
    tf.keras.utils.set_random_seed(1)
    whole, _ = run(loader, tmp_path / "whole")
    tf.keras.utils.set_random_seed(1)
    run(loader, tmp_path / "parts", max_steps=3)
    model = make_small()
    model.restore(str(tmp_path / "parts" / "model.ckpt-3"), resume=True)
    parts, _ = run(loader, tmp_path / "parts", model)
    assert parts.step == whole.step == 6
    for one, two in zip(whole.generator.weights, parts.generator.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-4, atol=1e-6)


def test_each_scale_is_traced_once(loader, tmp_path):
    loop = Loop(make_small(), loader, tmp_path, LoopSettings(max_steps=8))
    loop.run()
    counts = [f.experimental_get_tracing_count() for f in loop.steps_of_scale.values()]
    assert counts == [1, 1]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_the_run_after_its_step_with_a_checkpoint(
    loader, tmp_path, capsys, number, status
):
    class Interrupting:
        scales, batch_size = loader.scales, loader.batch_size

        def batch(self, step, share):
            if step == 20:
                threading.Thread(
                    target=signal.pthread_kill,
                    args=(threading.main_thread().ident, number),
                ).start()
            return loader.batch(step, share=share)

    model, ended = run(Interrupting(), tmp_path, max_steps=10_000)
    assert ended == status
    assert 10 < model.step < 10_000
    assert (tmp_path / f"model.ckpt-{model.step}.index").exists()
    assert f"after step {model.step}" in capsys.readouterr().out


# A step that Python cannot interrupt, as those of TensorFlow.
LONG_STEP = """
import ctypes
from training.stopping import StopRequest
with StopRequest() as stop:
    print("begun", flush=True)
    left = 60
    while left:  # Signals end a sleep, but not a step.
        left = ctypes.CDLL(None).sleep(left)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_the_process_within_a_step(number):
    process = forked.Script(["-c", LONG_STEP])
    process.stdout.readline()
    process.send_signal(number)
    time.sleep(0.05)
    process.send_signal(number)  # As timeout(1) does.
    time.sleep(2 * TOGETHER)
    assert process.poll() is None
    process.send_signal(number)
    _, complained = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert complained == f"Stopped immediately by a second {number.name}.\n"


def test_the_first_signal_is_remembered_and_the_handlers_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert stop.signal is None
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_what_is_prepared_ahead_comes_in_order_and_its_waiting_is_counted():
    def make(step):
        time.sleep(0.02 if step == 0 else 0.0)
        return step

    with Prefetch(make, range(9), depth=3) as ahead:
        assert [ahead.get() for _ in range(9)] == list(range(9))
        assert ahead.waited > 0


def test_no_more_is_prepared_than_was_asked_for():
    made = []
    with Prefetch(lambda n: made.append(n) or n, range(4, 100), depth=3) as ahead:
        assert ahead.get() == 4
        time.sleep(0.1)
    assert max(made) <= 4 + 3


def test_an_error_of_the_loader_reaches_the_loop(tmp_path):
    class Broken:
        scales, batch_size = (2,), 2

        def batch(self, step, share):
            raise OSError(5, "Input/output error", "disk")

    with pytest.raises(OSError, match="Input/output error"):
        run(Broken(), tmp_path)


MEMORY_PROGRAM = """
import sys
from pathlib import Path
from tests.small import make_small
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from training.loop import Loop, LoopSettings

class Watched(PairedLoader):
    def batch(self, step, share=slice(None)):
        if step % 200 == 100:
            status = Path("/proc/self/status").read_text()
            print("RssAnon", status.split("RssAnon:")[1].split()[0])
        return super().batch(step, share=share)

folder = sys.argv[1]
loader = Watched(PairedSettings(f"{folder}/HR", None, (2, 4), 16, 4, 0, folder))
loader.prepare()
settings = LoopSettings(max_steps=310, log_freq=20, summary_freq=20, save_freq=20)
Loop(make_small(), loader, f"{folder}/run", settings).run()
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux counts it")
def test_two_hundred_steps_leave_the_memory_as_it_was(tmp_path):
    write_pictures(tmp_path / "HR", [(80, 90), (70, 100)])
    done = forked.run(["-c", MEMORY_PROGRAM, tmp_path])
    assert done.returncode == 0, done.stderr
    first, second = [
        int(line.split()[1]) for line in done.stdout.splitlines() if "Rss" in line
    ]
    # In kB; a batch that was kept in each step would add 40,000.
    assert second - first < 8_000
