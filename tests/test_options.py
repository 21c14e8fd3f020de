"""What a trainer is expected to offer: precisions, averaged weights, validation."""

import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from console.choices import load
from console.errors import InputError
from dataloaders import PAIRED
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from metrics.grid import grid
from metrics.measuring import SHAVE_SIZE, average, measure_scale
from metrics.niqe import NIQE
from metrics.optional import WithoutTruth
from metrics.validation import Validation
from models import opening
from models.bicubic import Bicubic
from tests.pictures import write_pictures
from tests.small import draw_batch, make_small
from training import checkpoints, devices
from training.arguments import check_same_run
from training.checkpoint_writer import CheckpointWriter
from training.loop import Loop, LoopSettings
from training.options import StepOptions


def train(model, steps=4):
    for _ in range(steps):
        model.train_step(*draw_batch(2), 2)
    return [weight.numpy() for weight in model.generator.weights]


def test_the_average_follows_all_weights():
    keras.utils.set_random_seed(0)
    model = make_small(StepOptions(ema_decay=0.75), learning_rate=1e-2)
    expected = [weight.numpy() for weight in model.generator.weights]
    for _ in range(3):
        for index, weight in enumerate(train(model, 1)):
            expected[index] = expected[index] + 0.25 * (weight - expected[index])
    for one, two in zip(model.average.weights, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), two, rtol=1e-5, atol=1e-7)


def test_a_step_that_is_not_finite_does_not_move_the_average():
    model = make_small(StepOptions(ema_decay=0.5), learning_rate=1e-2)
    train(model, 1)
    before = [weight.numpy() for weight in model.average.weights]
    lr, hr = (x.astype(np.float32) for x in draw_batch(2))
    model.train_step(lr * np.nan, hr, 2)
    for old, weight in zip(before, model.average.weights, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())


@pytest.fixture
def averaged(tmp_path):
    """A model with an average, and its checkpoint."""
    model = make_small(StepOptions(ema_decay=0.5), learning_rate=1e-1)
    train(model)
    return model, CheckpointWriter(model.checkpoint_items(), tmp_path / "run", 1).save(
        4
    )


def picture(model):
    lr = tf.constant(np.random.default_rng(1).uniform(0, 255, (1, 9, 9, 3)), tf.float32)
    return model.forward(lr, 2).numpy()


def test_scripts_take_the_average_unless_told_otherwise(averaged, capsys):
    model, prefix = averaged
    opened = opening.open_model(prefix)
    assert "--nouse_ema" in capsys.readouterr().out
    last = opening.open_model(prefix, use_ema=False)
    assert capsys.readouterr().out == ""
    np.testing.assert_allclose(picture(opened), picture(model), atol=1e-3)
    assert np.abs(picture(last) - picture(opened)).max() > 0.1
    for one, two in zip(last.generator.weights, model.generator.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_a_run_goes_on_with_weights_and_average_alike(averaged):
    model, prefix = averaged
    again = make_small(StepOptions(ema_decay=0.5), learning_rate=1e-1)
    again.restore(prefix, resume=True)
    for part in ("generator", "average"):
        old, new = (getattr(m, part).weights for m in (model, again))
        for one, two in zip(old, new, strict=True):
            np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_an_average_that_begins_late_begins_with_the_weights(tmp_path):
    model = make_small(learning_rate=1e-1)
    train(model)
    prefix = CheckpointWriter(model.checkpoint_items(), tmp_path, 1).save(4)
    again = make_small(StepOptions(ema_decay=0.5))
    again.restore(prefix, resume=True)
    for one, two in zip(again.average.weights, model.generator.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_only_the_inside_of_the_network_is_in_the_lower_precision(precision):
    model = make_small(StepOptions(precision=precision))
    generator = model.generator
    assert {w.dtype for w in generator.weights} == {"float32"}
    assert {w.dtype for w in model.optimizers["generator"].variables[2:]} == {"float32"}
    ends = [generator.first_conv, generator.mean_shift, *generator.last_convs.values()]
    assert {layer.compute_dtype for layer in ends} == {"float32"}
    inside = [generator.shared.last, generator.shared.blocks[0].first]
    assert {layer.compute_dtype for layer in inside} == {precision}
    assert model.forward(tf.zeros((1, 8, 8, 3)), 2).dtype == tf.float32


def test_bfloat16_gives_nearly_the_same_picture():
    keras.utils.set_random_seed(0)
    full = make_small(learning_rate=1e-3)
    train(full, 10)
    half = make_small(StepOptions(precision="bfloat16"))
    for one, two in zip(half.generator.weights, full.generator.weights, strict=True):
        one.assign(two)
    difference = np.abs(picture(half) - picture(full))
    assert 0 < difference.mean() < 1.0


def test_a_processor_without_bfloat16_is_pointed_out_once(monkeypatch, capsys):
    monkeypatch.setattr(devices, "cpu_flags", lambda: {"avx2"})
    devices.warn_if_slow("bfloat16")
    assert "AVX512-BF16" in capsys.readouterr().err
    monkeypatch.setattr(devices, "cpu_flags", lambda: {"avx512_bf16"})
    devices.warn_if_slow("bfloat16")
    devices.warn_if_slow("float32")
    assert capsys.readouterr().err == ""


def test_bfloat16_is_advised_where_it_is_fast_unless_a_precision_is_given(
    monkeypatch, capsys
):
    for flags, is_given, is_advised in (
        ({"avx2"}, False, False),
        ({"avx512_bf16"}, True, False),
        ({"avx512_bf16"}, False, True),
    ):
        monkeypatch.setattr(devices, "cpu_flags", lambda flags=flags: flags)
        monkeypatch.setattr(devices, "is_given", lambda _, given=is_given: given)
        devices.advise_bfloat16()
        assert ("--precision=bfloat16" in capsys.readouterr().out) == is_advised


@pytest.fixture
def loader(tmp_path):
    folder = write_pictures(tmp_path / "HR", [(48, 60), (50, 44)])
    settings = PairedSettings(str(folder), None, (2, 4), 8, 2, 0, str(tmp_path / "c"))
    loader = PairedLoader(settings)
    loader.prepare()
    return loader


def test_validation_measures_what_validate_would(loader):
    model, baseline = make_small(), Bicubic()
    measured = Validation(model, baseline, loader, SHAVE_SIZE)()
    assert set(measured) == {2, 4}
    for scale, one in measured.items():
        both = measure_scale([model, baseline], loader, scale, SHAVE_SIZE)
        for metric in ("psnr_y", "ssim_y"):
            assert one.values[metric] == average(both[0])[metric]
            assert one.baseline[metric] == average(both[1])[metric]
        # Bicubic, output and truth of twelve places; the first of the first image.
        height, width = one.sheet.shape[:2]
        assert (height, width) == (6 * 132 + 4, 2 * (3 * 132 + 4) + 4)
        crop = model.make_sr("", next(iter(loader.pairs(scale)))[1], scale)
        np.testing.assert_array_equal(
            one.sheet[4 : 4 + 48, 4 + 132 : 4 + 132 + 60], crop[:48, :60]
        )


def test_an_image_without_a_value_is_named_and_left_out_of_the_mean(loader, capsys):
    def judge(sr, hr, shave):
        return float("nan") if hr.shape[1] == 60 else 3.0

    validation = Validation(
        *(make_small(), Bicubic(), loader, SHAVE_SIZE, {"niqe": judge}, "niqe")
    )
    measured = validation()
    assert measured[2].values["niqe"] == 3.0
    assert validation.rank(measured) == -3.0
    assert "niqe is undefined for 0; its mean omits" in capsys.readouterr().err


def test_the_best_by_a_metric_without_a_model_is_known_by_its_name(loader):
    validation = Validation(
        *(make_small(), Bicubic(), loader, SHAVE_SIZE),
        *({"grid": WithoutTruth(grid)}, "grid"),
    )
    assert validation.describe() == f"{loader.describe()}, by grid"
    measured = validation()
    values = [one.values["grid"] for one in measured.values()]
    assert validation.rank(measured) == -np.mean(values) < 0


def test_the_best_by_niqe_is_of_one_model_of_natural_pictures(loader):
    def describe(mean, best_metric="niqe"):
        judges = {"niqe": WithoutTruth(NIQE(np.full(36, mean), np.eye(36)))}
        more = (SHAVE_SIZE, judges, best_metric)
        return Validation(make_small(), Bicubic(), loader, *more).describe()

    assert describe(1.0) == describe(1.0) != describe(2.0)
    assert describe(1.0, "psnr_y") == describe(2.0, "psnr_y")


class FakeMeasured:
    baseline, sheet = {"psnr_y": 1.0}, np.zeros((4, 4, 3), "u1")

    def __init__(self, psnr):
        self.values = {"psnr_y": psnr}

    def describe(self):
        return f"psnr_y {self.values['psnr_y']}"


class FakeValidation:
    """Measures what it is told to."""

    def __init__(self, measure, images="some"):
        self.measure, self.images, self.times = measure, images, 0

    def describe(self):
        return self.images

    def rank(self, measured):
        return measured[2].values["psnr_y"]

    def __call__(self, is_to_stop):
        self.times += 1
        return self.measure()


def validate(loader, folder, psnr, model=None, images="some", **settings):
    """Trains with validations that find the given values, one after the other."""
    model = model or make_small()
    if checkpoints.list_checkpoints(folder):
        model.restore(checkpoints.find(folder), resume=True)
    values = iter(psnr)
    validation = FakeValidation(lambda: {2: FakeMeasured(next(values))}, images)
    Loop(model, loader, folder, LoopSettings(**settings), None, validation).run()
    return model


def kept_as_best(folder):
    return checkpoints.step_of(checkpoints.find(folder / "best"))


def test_a_checkpoint_knows_the_best_that_was_found_at_its_own_step(loader, tmp_path):
    often = {"validate_freq": 2, "save_freq": 2}
    validate(loader, tmp_path, [20.0], max_steps=2, **often)
    model = validate(loader, tmp_path, [10.0], max_steps=4, **often)
    assert float(model.state.best) == 20.0
    assert kept_as_best(tmp_path) == 2


def test_another_set_of_images_begins_a_new_best(loader, tmp_path):
    validate(loader, tmp_path, [20.0], max_steps=2, validate_freq=2)
    model = validate(
        loader, tmp_path, [10.0], images="others", max_steps=4, validate_freq=2
    )
    assert float(model.state.best) == 10.0
    assert kept_as_best(tmp_path) == 4


def test_a_validation_that_was_left_off_comes_first_when_going_on(
    loader, tmp_path, capsys
):
    model, leaving = make_small(), FakeValidation(lambda: None)
    settings = LoopSettings(max_steps=3, validate_freq=2)
    Loop(model, loader, tmp_path, settings, None, leaving).run()
    assert "Stopped the validation of step 2" in capsys.readouterr().out
    model.state.step.assign(2)
    again = FakeValidation(lambda: {2: FakeMeasured(20.0)})
    Loop(model, loader, tmp_path, settings, None, again).run()
    assert again.times == 1 and int(model.state.validated) == 2


def test_a_validation_leaves_off_when_asked(loader):
    asked = []

    def is_to_stop():
        asked.append(True)
        return len(asked) == 2

    measured = Validation(make_small(), Bicubic(), loader, SHAVE_SIZE)(is_to_stop)
    assert measured is None and len(asked) == 2


def test_what_was_trained_is_saved_before_a_validation_fails(loader, tmp_path):
    def fail():
        raise InputError("a picture is damaged")

    settings = LoopSettings(max_steps=6, validate_freq=2)
    loop = Loop(make_small(), loader, tmp_path, settings, None, FakeValidation(fail))
    with pytest.raises(InputError, match="a picture is damaged"):
        loop.run()
    assert checkpoints.step_of(checkpoints.find(tmp_path)) == 2


def test_pictures_to_validate_on_are_looked_at_before_the_training(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_pictures(tmp_path / "HR", [(48, 60), (50, 44)])
    settings = PairedSettings(str(folder), None, (2, 4))
    PairedLoader(settings).check_whole(SHAVE_SIZE)
    write_pictures(folder, [(18, 60)])
    with pytest.raises(InputError, match=r"0\.png: too small to be measured at x2"):
        PairedLoader(settings).check_whole(SHAVE_SIZE)
    path = folder / "0.png"
    write_pictures(folder, [(48, 60)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"0\.png: is truncated"):
        PairedLoader(settings).check_whole(SHAVE_SIZE)


def test_the_best_checkpoint_is_kept(loader, tmp_path, capsys):
    folder, psnr = tmp_path / "run", iter([20.0, 30.0, 25.0])

    def Measured():
        return FakeMeasured(next(psnr))

    model, validation = make_small(), FakeValidation(lambda: {2: Measured()})
    settings = LoopSettings(max_steps=6, validate_freq=2)
    Loop(model, loader, folder, settings, None, validation).run()
    assert checkpoints.find(folder / "best") == str(folder / "best" / "model.ckpt-4")
    assert len(list((folder / "best").glob("*.index"))) == 1
    assert float(model.state.best) == 30.0
    assert "validated at step 6  x2  psnr_y 25.0" in capsys.readouterr().out
    # A run that goes on knows what it has to beat.
    again = make_small()
    again.restore(checkpoints.find(folder), resume=True)
    assert float(again.state.best) == 30.0


def test_what_may_change_with_a_word_and_what_may_not(tmp_path, capsys):
    before = {"rate": 1.0, "seed": 0, "log": 1}
    changed = {"rate": 2.0, "seed": 0, "log": 2}
    changes = {"log": "freely", "rate": "said", "seed": "no"}
    check_same_run(tmp_path, before, changed, changes)
    assert capsys.readouterr().out == "From here on: --rate was 1.0 and is 2.0.\n"
    changed |= {"seed": 1, "data_set": "other"}
    with pytest.raises(InputError, match="--seed was 0 and is 1") as caught:
        check_same_run(tmp_path, before, changed, changes)
    assert "rate" not in str(caught.value)


def test_runs_keep_the_name_of_their_loader():
    # A run that has recorded another name would be refused.
    assert {load(PAIRED, name, "--dataloader").__name__ for name in PAIRED} == {"DIV2K"}


def test_other_scales_are_no_other_data_set(tmp_path):
    before = {"scales": [4], "data_set": "known by its sizes at x4"}
    now = {"scales": [2], "data_set": "known by its sizes at x2"}
    more = "--restore_path=a/model.ckpt-7 --global_step=7"
    with pytest.raises(InputError) as caught:
        check_same_run(tmp_path, before, now, {}, more=more)
    assert "--scales was [4] and is [2]. " in str(caught.value)
    assert "data set" not in str(caught.value)
    assert f"another --train_path with {more}" in str(caught.value)


@pytest.mark.parametrize("asked_by", [None, "--use_gpu"])
def test_a_gpu_that_is_asked_for_and_not_there_is_told(monkeypatch, capsys, asked_by):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert devices.choose("0", asked_by) == "the CPU"
    warned = "Warning: --use_gpu: TensorFlow finds no GPU here; running on the CPU.\n"
    assert capsys.readouterr().err == (warned if asked_by else "")
    devices.choose("-1", asked_by)
    assert capsys.readouterr().err == ""


def test_the_data_set_is_known_by_its_images_not_its_place(loader, tmp_path):
    def describe(folder, scales=(2, 4)):
        settings = PairedSettings(str(folder), None, scales, 8, 2, 0, str(tmp_path))
        return PairedLoader(settings).describe()

    known = loader.describe()
    moved = (tmp_path / "HR").rename(tmp_path / "elsewhere")
    assert describe(moved) == known
    (moved / "0.png").rename(moved / "renamed.png")
    assert describe(moved) != known


def test_a_signal_during_a_validation_ends_the_run_before_another_step(
    loader, tmp_path
):
    def leave_off():
        signal.raise_signal(signal.SIGTERM)

    settings = LoopSettings(max_steps=6, validate_freq=2)
    validation, model = FakeValidation(leave_off), make_small()
    loop = Loop(model, loader, tmp_path, settings, None, validation)
    assert loop.run() == 128 + signal.SIGTERM
    assert model.step == 2
    assert checkpoints.step_of(checkpoints.find(tmp_path)) == 2
