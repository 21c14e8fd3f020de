"""The benchmarks, started with the smallest sizes; their numbers are no claim here."""

import dataclasses
import functools
import json
import os
import time
from unittest import mock

import pytest
import tensorflow as tf

from benchmarks import (
    bfloat16,
    four_pass,
    limit,
    loading,
    network,
    pictures,
    predictor,
)
from benchmarks.flops import count_flops
from benchmarks.harness import BenchmarkSettings, run_script
from benchmarks.rows import Row, to_table
from benchmarks.speed import SpeedSettings
from console.errors import InputError
from score_predictors.mobilenetv2 import Settings as PredictorSettings
from tests import forked
from tests.four_pass import make_four_pass, weigh_only, write_predictor
from tests.pictures import write_pictures
from tests.scripts import fail_here, run_here, succeed_here

SMALL = ("--scales=2", "--batch_size=1", "--features=4", "--shared_blocks=1")
SMALL_SETTINGS = BenchmarkSettings((2,), 1, 1, 4, 1, "-1")
SECTIONS = ("limit", "training", "upscaling", "input")


def run_quickly(script, *arguments, **flags):
    """As `run_script`, but TensorFlow is not imported again and no memory measured."""
    given = [f"--{name}={value}" for name, value in flags.items() if value is not None]
    start = time.perf_counter()
    done = forked.run([script, *arguments, *given])
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    return seconds


@pytest.fixture(scope="module", autouse=True)
def small_limit():
    limit.make.cache_clear()
    with mock.patch.object(limit, "CPU_BATCH", 1):
        yield
    limit.make.cache_clear()


@pytest.fixture(scope="module")
def speed(tmp_path_factory):
    """What the script says, and its JSON."""
    path = tmp_path_factory.mktemp("speed") / "speed.json"
    sections = f"--sections={','.join(SECTIONS)}"
    arguments = (*SMALL, "--repeats=1", "--cuda_device=-1", sections)
    with (
        mock.patch.object(loading, "CONSUMED", 20),
        mock.patch.object(loading, "WARMED", 1),
        mock.patch.object(loading, "PICTURES", 2),
        # Each would be a start of a process of its own.
        mock.patch.object(network, "run_apart", lambda *_: 1.5),
    ):
        said = succeed_here("benchmarks/speed.py", *arguments, f"--output_path={path}")
    return said, json.loads(path.read_text())


def test_speed_measures_every_section_and_the_limit_first(speed):
    _, report = speed
    assert list(report["sections"]) == list(SECTIONS)
    assert all(report["sections"].values())
    assert report["device"].startswith("the CPU (")


def test_the_peak_of_a_process_of_its_own_is_measured(speed):
    peak = network.run_apart(network.take_step, SMALL_SETTINGS, "bfloat16", 2)
    assert 0.2 < peak < 5
    rows = speed[1]["sections"]["training"]
    assert [row["peak_memory_gb"] for row in rows] == [1.5, 1.5]


def test_a_process_that_is_killed_is_told():
    with pytest.raises(InputError, match="was killed"):
        network.run_apart(os.abort)


def test_a_share_of_the_limit_is_the_quotient_of_two_speeds(speed):
    _, report = speed
    for section in ("training", "upscaling"):
        rows = report["sections"][section][:2]
        assert [row["what"].rpartition(", ")[2] for row in rows] == [
            "float32",
            "bfloat16",
        ]
        for row in rows:
            share = row["tflops_per_second"] / row["limit_tflops_per_second"]
            assert row["share_of_limit"] == pytest.approx(share)
            assert row["share_of_limit"] > 0 and row["scale"] == 2
        ratio = rows[0]["seconds"] / rows[1]["seconds"]
        assert rows[1]["relative_speed"] == pytest.approx(ratio)


def test_other_programs_are_timed_beside_the_model_here(speed):
    _, report = speed
    rows = report["sections"]["upscaling"]
    assert [row["what"].rpartition(", ")[2] for row in rows[2:]] == [
        *("pb", "saved_model", "onnx", "tflite")
    ]
    for row in rows:
        ratio = rows[0]["seconds"] / row["seconds"]
        assert row["relative_speed"] == pytest.approx(ratio)


def test_speed_measures_the_preparation_of_batches(speed):
    rows = speed[1]["sections"]["input"]
    waiting = [row["waiting_share"] for row in rows if "waiting_share" in row]
    assert len(waiting) == 2 and all(0 <= share < 1 for share in waiting)
    assert all(row["seconds"] > 0 for row in rows if "waiting_share" not in row)
    kinds = [row["what"].partition(" ")[0] for row in rows]
    assert kinds == ["bicubic"] * 3 + ["photo"] * 3


def test_speed_ends_with_one_table_that_names_the_device(speed):
    said, report = speed
    header = next(line for line in said.splitlines() if line.startswith("what"))
    titles = "what scale time speed TFLOP/s limit of limit memory waiting"
    assert header.split() == f"{titles} s/megapixel out".split()
    before, table = said.split(header)
    assert before.rstrip().endswith(f"On {report['device']}:")
    rows = [row for section in report["sections"].values() for row in section]
    lines = table.strip().splitlines()[: len(rows)]
    for line, row in zip(lines, rows, strict=True):
        assert line.startswith(row["what"])


def test_the_predictors_input_and_training_are_measured(monkeypatch):
    for name, value in {"PICTURES": 4, "BATCH_SIZE": 2, "BATCHES": 3}.items():
        monkeypatch.setattr(predictor, name, value)
    network = PredictorSettings(alpha=0.35, weights="none")
    monkeypatch.setattr(predictor, "SETTINGS", network)
    rows = list(predictor.measure(BenchmarkSettings(repeats=1)))
    assert all(row.images_per_second > 0 for row in rows)
    assert len(rows) == 3 and all(row.seconds > 0 for row in rows[1:])


def test_the_parts_of_a_step_of_4pp_eusr_are_measured(monkeypatch):
    monkeypatch.setattr(
        four_pass, "write_predictor", lambda path, seed: write_predictor(path, seed)
    )
    for module in (four_pass, network):
        monkeypatch.setattr(module, "PATCH", 8)
    # One is enough: each traces two graphs.
    monkeypatch.setattr(four_pass, "PRECISIONS", ("float32",))
    rows = list(
        four_pass.measure(BenchmarkSettings(repeats=1, features=4, shared_blocks=1))
    )
    parts = [row.what.partition(": ")[2] for row in rows]
    assert parts == ["passes, with gradient, float32", "whole step, float32"]
    assert all(row.seconds > 0 and row.share_of_limit > 0 for row in rows)


def count(function, side, images=1):
    compiled = tf.function(function, autograph=False)
    return count_flops(compiled, tf.zeros((images, side, side, 3)))


def test_the_flops_of_the_limit_are_those_of_its_convolution():
    forward, both = (limit.make("float32", alone)[1] for alone in (True, False))
    assert forward == 2 * 9 * 64 * 64 * 96 * 96 * limit.CPU_BATCH
    assert both == 3 * forward  # Each gradient takes as many.


def test_the_flops_of_a_step_leave_out_the_gradient_of_the_picture():
    settings = BenchmarkSettings((4,), 1, 1, 4, 1, "-1")
    model = network.make_model(settings, training=network.Training())
    step, batch = network.make_step(model, 2, 4)
    forward = count(functools.partial(model.generator, scale=4), 48, 2)
    first = 2 * 9 * 3 * 4 * 48 * 48 * 2
    assert count_flops(step, *batch) == 3 * forward - first


def test_the_flops_of_the_passes_and_of_the_discriminator_are_counted():
    model = make_four_pass(is_narrow=False, **weigh_only("lr", "lg"))
    once = count(functools.partial(model.generator, scale=2), 48)
    twice = count(functools.partial(model.estimate, last=2), 48)
    assert twice == once * (1 + 4)
    # By hand: multiplications and additions at each of the convolutions' outputs.
    features = [3, 32, 32, 64, 64, 128, 128, 256, 256, 512, 512]
    sides = [192, 96, 96, 48, 48, 24, 24, 12, 12, 6]
    by_hand = sum(
        2 * 9 * features[i] * features[i + 1] * side**2 for i, side in enumerate(sides)
    )
    by_hand += 2 * (512 * 1024 + 1024) * 6**2
    assert count(model.discriminator, 192) == by_hand


def test_the_flops_of_a_predictor_are_those_of_its_paper(monkeypatch):
    # 300 million multiplications with additions for 224x224 pixels.
    monkeypatch.setattr(four_pass, "PATCH", 224 // 4)
    assert four_pass.count_prediction() == pytest.approx(2 * 300e6, rel=0.01)


def test_a_section_that_does_not_exist_is_told():
    with pytest.raises(InputError, match="--sections=colour: .*upscaling"):
        SpeedSettings(sections=("limit", "colour")).check()
    SpeedSettings(sections=SECTIONS).check()


def test_a_table_is_aligned_and_has_the_columns_of_its_rows():
    lines = to_table([Row("one", seconds=2.5), Row("a batch", seconds=0.002)])
    assert lines.splitlines() == [
        "what        time",
        "one        2.5 s",
        "a batch  0.002 s",
    ]


def test_precision_compares_three_ways_for_each_scale(tmp_path, monkeypatch):
    def run(script, *arguments, **flags):
        given = [f"--{name}={value}" for name, value in flags.items()]
        done = run_here(script, *arguments, *given)
        assert done.returncode == 0, done.stderr

    monkeypatch.setattr(bfloat16, "run_script", run)
    hr = str(write_pictures(tmp_path / "HR", [(40, 48)]))
    small = "--scales=2 --eusr_model_scales=2 --batch_size=1 --input_patch_size=8"
    small += " --eusr_conv_features=4 --eusr_shared_blocks=1"
    settings = BenchmarkSettings(
        cuda_device="-1",
        truth_path=hr,
        validate_truth_path=hr,
        seeds=1,
        steps=2,
        train_flags=small,
        validate_flags="--shave_size=2",
    )
    float32, run, trained, *means = bfloat16.measure(settings)
    # Bits differ, and no more than that: else the precision did not reach the scripts.
    for row in (run, trained):
        assert row.psnr_y != float32.psnr_y
        assert row.psnr_y == pytest.approx(float32.psnr_y, abs=0.5)
        assert row.loss == pytest.approx(float32.psnr_y - row.psnr_y)
    assert float32.scale == 2 and float32.loss is None
    assert [row.psnr_y for row in means] == [
        row.psnr_y for row in (float32, run, trained)
    ]


def test_precision_wants_both_folders_or_none(tmp_path):
    line = fail_here("benchmarks/speed.py", f"--truth_path={tmp_path}")
    assert "give both --truth_path and --validate_truth_path" in line


def test_tiles_are_held_against_the_picture_in_one_piece(monkeypatch):
    monkeypatch.setattr(pictures, "SIDES", {2: 320})
    # So that it is cut, small as it is.
    monkeypatch.setattr(pictures, "MEMORY", 200_000_000)
    whole, in_tiles = pictures.measure_tiles(SMALL_SETTINGS)
    assert in_tiles.relative_speed == pytest.approx(whole.seconds / in_tiles.seconds)
    assert in_tiles.largest_difference < 0.01


def test_the_script_is_held_against_its_network(monkeypatch):
    monkeypatch.setattr(pictures, "run_script", run_quickly)
    monkeypatch.setattr(pictures, "SIZE", (32, 48))
    network, script = pictures.measure_pictures(SMALL_SETTINGS)
    share = network.seconds / script.seconds
    assert script.relative_speed == pytest.approx(share)
    assert 0 < share < 1


def test_a_script_that_fails_is_told():
    with pytest.raises(InputError, match=r"none\.py ended with 2: .*none\.py"):
        run_script("none.py")
    with pytest.raises(InputError, match=r"misc/demo\.py ended with 1: .*colour"):
        run_script("misc/demo.py", colour="red", output_path=None)


def test_the_weights_that_ship_are_held_against_other_engines(monkeypatch):
    monkeypatch.setattr(pictures, "run_script", run_quickly)
    monkeypatch.setattr(pictures, "PHOTOGRAPH", (32, 48))
    rows = {row.what: row for row in pictures.measure_shipped(SMALL_SETTINGS)}
    float32 = rows["48x32, EUSR, float32"]
    assert {what.partition(", ")[2] for what in rows} == {
        *("bicubic", "EUSR, float32", "EUSR, bfloat16", "EUSR, onnxruntime"),
        *("EUSR, float32, OpenVINO", "EUSR, bfloat16, OpenVINO"),
        *("EUSR, test.py with its start", "EUSR, test.py with its start, OpenVINO"),
    }
    for row in rows.values():
        assert row.relative_speed == pytest.approx(float32.seconds / row.seconds)
        assert row.seconds_per_output_megapixel == pytest.approx(
            row.seconds / (64 * 96 / 1e6)
        )


def test_the_memory_of_a_large_picture_is_that_of_the_script():
    settings = dataclasses.replace(SMALL_SETTINGS, megapixels=0.01)
    (row,) = pictures.measure_large_picture(settings)
    assert row.what == "121x81, test.py with its start"
    assert row.seconds > 0
    # Whatever a script of TensorFlow takes at least, and far less than a machine has.
    assert 0.3 < row.peak_memory_gb < 4
