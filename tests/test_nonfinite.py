import numpy as np
import pytest

from console.errors import InputError
from dataloaders.paired import Batch
from tests.small import draw_batch, make_small
from training.loop import Loop, LoopSettings


class Poisoned:
    """A loader whose batches are not finite at some steps."""

    scales = (2,)
    batch_size = 2

    def __init__(self, bad_steps):
        self.bad_steps = bad_steps

    def batch(self, step, share=slice(None)):
        lr, hr = (x.astype(np.float32) for x in draw_batch(2))
        if step in self.bad_steps:
            hr[0, 3, 3, 1] = np.nan
        return Batch(step, 2, lr, hr, ["a", "b"])


def run(model, folder, bad_steps, **settings):
    settings = {"max_steps": 8, "log_freq": 4, "summary_freq": 100, **settings}
    Loop(model, Poisoned(bad_steps), folder, LoopSettings(**settings)).run()


def values_of(model):
    variables = (*model.generator.weights, *model.optimizers["generator"].variables)
    return {variable.path: variable.numpy() for variable in variables}


def test_a_step_that_is_not_finite_changes_nothing_but_the_count():
    model = make_small(learning_rate=1e-2)
    good, bad = Poisoned(()).batch(0), Poisoned((0,)).batch(0)
    model.train_step(good.lr, good.hr, 2)
    before = values_of(model)
    losses = model.train_step(bad.lr, bad.hr, 2)
    assert np.isnan(float(losses["loss"]))
    for path, value in values_of(model).items():
        np.testing.assert_array_equal(value, before[path], path)
    assert int(model.state.bad_in_a_row) == 1
    model.train_step(good.lr, good.hr, 2)
    assert int(model.state.bad_in_a_row) == 0
    assert int(model.state.skipped) == 1


def test_the_run_stops_at_the_next_log_and_saves_nothing_bad(tmp_path):
    with pytest.raises(InputError) as caught:
        run(make_small(), tmp_path, {5}, save_freq=3)
    line = str(caught.value)
    assert "step 6 (x2, images a, b) is not finite" in line
    assert f"last good checkpoint is {tmp_path / 'model.ckpt-3'}." in line
    assert sorted(p.name for p in tmp_path.glob("*.index")) == ["model.ckpt-3.index"]


def test_so_many_in_a_row_are_tolerated_and_counted_as_steps(tmp_path):
    model = make_small()
    model.state.tolerated = 2
    run(model, tmp_path, {0, 1, 3, 4, 6})
    assert model.step == 8
    assert int(model.optimizers["generator"].iterations) == 3
    assert all(np.isfinite(w.numpy()).all() for w in model.generator.weights)


def test_skipped_steps_are_counted_in_the_log(tmp_path, capsys):
    model = make_small()
    model.state.tolerated = 1
    run(model, tmp_path, {0, 5})
    lines = [x for x in capsys.readouterr().out.splitlines() if x.startswith("step")]
    assert "  1 steps skipped  " in lines[0] and "  2 steps skipped  " in lines[1]


def test_a_checkpoint_of_a_bad_streak_is_not_called_good(tmp_path):
    model = make_small()
    model.state.tolerated = 3
    with pytest.raises(InputError, match=r"last good checkpoint is .*model\.ckpt-2\."):
        run(model, tmp_path, {2, 3, 4, 5, 6}, save_freq=2)
    assert (tmp_path / "model.ckpt-4.index").exists()


def test_one_more_is_too_many_and_the_first_of_them_is_named(tmp_path):
    model = make_small()
    model.state.tolerated = 2
    with pytest.raises(InputError, match=r"step 3 \("):
        run(model, tmp_path, {0, 2, 3, 4, 6})
