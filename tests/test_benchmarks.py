"""The benchmarks, started with the smallest sizes; their numbers are no claim here."""

import json
import subprocess

import pytest

from benchmarks import four_pass, memory, predictor, shipped, tiling
from benchmarks.network import PATCH, count_flops
from benchmarks.rows import Row, to_table
from benchmarks.settings import BenchmarkSettings
from benchmarks.speed import check_sections
from console.errors import InputError
from score_predictors.mobilenetv2 import MobileNetV2
from score_predictors.mobilenetv2 import Settings as PredictorSettings
from tests.four_pass import make_four_pass, weigh_only, write_predictor
from tests.pictures import write_pictures
from tests.scripts import fail, run_here, succeed, succeed_here

SMALL = ("--scales=2", "--batch_size=1", "--features=4", "--shared_blocks=1")
SMALL_SETTINGS = BenchmarkSettings((2,), 1, 1, 4, 1, "-1")
SECTIONS = ("limit", "training", "upscaling", "exports", "input", "start")


@pytest.fixture(scope="module")
def speed(tmp_path_factory):
    """What the script says, and its JSON."""
    path = tmp_path_factory.mktemp("speed") / "speed.json"
    sections = f"--sections={','.join(SECTIONS)}"  # Memory takes four more starts.
    arguments = (*SMALL, "--repeats=1", "--cuda_device=-1", sections)
    said = succeed("benchmarks/speed.py", *arguments, f"--output_path={path}")
    return said, json.loads(path.read_text())


def test_speed_measures_every_section_and_the_limit_first(speed):
    _, report = speed
    assert list(report["sections"]) == list(SECTIONS)
    assert all(report["sections"].values())
    assert report["device"].startswith("the CPU (")


def test_the_peak_of_a_process_of_its_own_is_measured():
    gigabytes = memory.measure_peak("upscaling", "float32", SMALL_SETTINGS)
    assert 0.05 < gigabytes < 10


def test_a_share_of_the_limit_is_the_quotient_of_two_speeds(speed):
    _, report = speed
    for section in ("training", "upscaling"):
        rows = report["sections"][section]
        assert [(row["precision"], row["scale"]) for row in rows] == [
            ("float32", 2),
            ("bfloat16", 2),
        ]
        for row in rows:
            share = row["tflops_per_second"] / row["limit_tflops_per_second"]
            assert row["share_of_limit"] == pytest.approx(share)
            assert row["share_of_limit"] > 0
        ratio = rows[0]["seconds"] / rows[1]["seconds"]
        assert rows[1]["times_float32"] == pytest.approx(ratio)


def test_other_programs_are_timed_beside_the_model_here(speed):
    _, report = speed
    rows = report["sections"]["exports"]
    assert [row["what"].rpartition(", ")[2] for row in rows] == [
        *("the model here", "pb", "saved_model", "onnx", "tflite")
    ]
    for row in rows:
        ratio = rows[0]["seconds"] / row["seconds"]
        assert row["times_float32"] == pytest.approx(ratio)


def test_speed_measures_what_surrounds_the_network(speed):
    _, report = speed
    rows = report["sections"]["input"] + report["sections"]["start"]
    waiting = [row["waiting_share"] for row in rows if "waiting_share" in row]
    assert len(waiting) == 1 and 0 <= waiting[0] < 1
    assert all(row["seconds"] > 0 for row in rows if "waiting_share" not in row)
    names = " ".join(row["what"] for row in rows)
    for part in ("cache", "batch", "PNG", "down", "up", "help", "first step"):
        assert part in names


def test_speed_ends_with_one_table_that_names_the_device(speed):
    said, report = speed
    header = next(line for line in said.splitlines() if line.startswith("what"))
    titles = "what precision scale time TFLOP/s limit of limit vs float32 waiting"
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
    shares = [row.waiting_share for row in rows if row.waiting_share is not None]
    assert len(rows) == 5 and len(shares) == 2
    assert all(0 <= share < 1 for share in shares)


def test_the_parts_of_a_step_of_4pp_eusr_are_measured(monkeypatch):
    monkeypatch.setattr(
        four_pass, "write_predictor", lambda path, seed: write_predictor(path, seed)
    )
    monkeypatch.setattr(four_pass, "PATCH", 8)
    # One is enough: each traces five graphs.
    monkeypatch.setattr(four_pass, "PRECISIONS", ("float32",))
    rows = list(
        four_pass.measure(BenchmarkSettings(repeats=1, features=4, shared_blocks=1))
    )
    parts = [row.what.partition(": ")[2] for row in rows]
    assert parts[-1] == "whole step" and len(parts) == 5
    assert all(row.seconds > 0 and row.share_of_limit > 0 for row in rows)


def test_the_flops_of_the_passes_and_of_the_discriminator_are_counted():
    model = make_four_pass(is_narrow=False, **weigh_only("lr", "lg"))
    once, twice = (four_pass.count_pass_flops(model.generator, s) for s in (4, 2))
    assert once == sum(count_flops(model.generator, 4)) * PATCH**2
    assert twice == sum(count_flops(model.generator, 2)) * PATCH**2 * (1 + 4)
    # By hand: multiplications and additions at each of the convolutions' outputs.
    features = [3, 32, 32, 64, 64, 128, 128, 256, 256, 512, 512]
    sides = [192, 96, 96, 48, 48, 24, 24, 12, 12, 6]
    by_hand = sum(
        2 * 9 * features[i] * features[i + 1] * side**2 for i, side in enumerate(sides)
    )
    by_hand += 2 * (512 * 1024 + 1024) * 6**2
    assert four_pass.count_discriminator_flops(model.discriminator) == by_hand


def test_the_flops_of_a_predictor_are_those_of_its_paper(monkeypatch):
    # 300 million multiplications with additions for 224x224 pixels.
    monkeypatch.setattr(four_pass, "PATCH", 224 // 4)
    network = PredictorSettings(weights="none")
    flops = four_pass.count_predictor_flops(MobileNetV2(network))
    assert flops == pytest.approx(2 * 300e6, rel=0.01)


def test_the_peak_of_a_process_is_at_least_what_tensorflow_takes():
    kind = ("--kind=training", "--precision=bfloat16", "--cuda_device=-1")
    assert 0.2 < float(succeed("benchmarks/peak.py", *SMALL, *kind)) < 5


def test_a_section_that_does_not_exist_is_told():
    with pytest.raises(InputError, match="--sections=colour: .*upscaling"):
        check_sections(["limit", "colour"])
    check_sections(list(SECTIONS))


def test_a_table_is_aligned_and_has_the_columns_of_its_rows():
    lines = to_table([Row("one", seconds=2.5), Row("a batch", seconds=0.002)])
    assert lines.splitlines() == [
        "what        time",
        "one       2.50 s",
        "a batch  2.00 ms",
    ]


def test_precision_compares_three_ways_for_each_scale(tmp_path, monkeypatch):
    def run(command, **_):
        return run_here(*command[1:])

    monkeypatch.setattr(subprocess, "run", run)
    hr = write_pictures(tmp_path / "HR", [(40, 48)])
    path = tmp_path / "precision.json"
    paths = (f"--truth_path={hr}", f"--validate_truth_path={hr}")
    sizes = ("--seeds=1", "--steps=2", "--input_patch_size=8", "--cuda_device=-1")
    said = succeed_here(
        "benchmarks/precision.py", *paths, *sizes, *SMALL, f"--output_path={path}"
    )
    report = json.loads(path.read_text())
    float32, run, trained = (
        report["seeds"][0][way]["2"]
        for way in ("float32", "run_in_bfloat16", "trained_in_bfloat16")
    )
    # Bits differ, and no more than that: else the precision did not reach the scripts.
    assert float32 != run and run == pytest.approx(float32, abs=0.5)
    assert float32 != trained and trained == pytest.approx(float32, abs=0.5)
    loss = report["mean"]["loss"]
    assert loss["run_in_bfloat16"]["2"] == pytest.approx(float32 - run)
    assert loss["trained_in_bfloat16"]["2"] == pytest.approx(float32 - trained)
    assert f"{float32:.3f}" in said and f"{float32 - trained:+.3f}" in said


def test_precision_wants_both_folders_or_none(tmp_path):
    line = fail("benchmarks/precision.py", f"--truth_path={tmp_path}")
    assert "--validate_truth_path must be given" in line


def test_downscalers_compares_with_the_lr_images_that_are_given(tmp_path):
    write_pictures(tmp_path / "HR", [(48, 64), (40, 56)])
    flags = [f"--output_path={tmp_path / 'LR'}", "--scales=4"]
    hr = tmp_path / "HR"
    succeed_here("misc/downscale_generator.py", f"--input_path={hr}", *flags)
    said = succeed_here(
        "benchmarks/downscalers.py",
        *(f"--data_truth_path={hr}", f"--data_input_path={tmp_path / 'LR'}"),
        *(f"--octave_path={tmp_path / 'LR'}", "--scales=4"),
    )
    exact, of_cv, of_tf, same = (line.split() for line in said.splitlines()[-4:])
    for row in (exact, same):
        assert row[-5:-3] + row[-1:] == ["x4", "0.0000", "+0.000"]
    assert float(of_cv[-4]) > float(of_tf[-4]) > 0 and of_cv[-1] != "+0.000"


def test_tiles_are_held_against_the_picture_in_one_piece(monkeypatch):
    monkeypatch.setattr(tiling, "SIDES", {2: 320})
    # So that it is cut, small as it is.
    monkeypatch.setattr(tiling, "MEMORY", 200_000_000)
    whole, in_tiles = tiling.measure_tiles(SMALL_SETTINGS)
    assert in_tiles.times_whole == pytest.approx(in_tiles.seconds / whole.seconds)
    assert in_tiles.largest_difference < 0.01


def test_the_script_is_held_against_its_network(monkeypatch):
    monkeypatch.setattr(tiling, "SIZE", (32, 48))
    network, script = tiling.measure_pictures(SMALL_SETTINGS)
    share = network.seconds / script.seconds
    assert script.share_of_network == pytest.approx(share)
    assert 0 < share < 1


def test_a_script_that_fails_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(tiling, "TEST", str(tmp_path / "none.py"))
    monkeypatch.setattr(tiling, "SIZE", (32, 48))
    with pytest.raises(InputError, match=r"test\.py ended with 2: .*none\.py"):
        list(tiling.measure_pictures(SMALL_SETTINGS))


def test_the_weights_that_ship_are_held_against_bicubic(monkeypatch):
    monkeypatch.setattr(shipped, "SIZE", (32, 48))
    rows = {row.what: row for row in shipped.measure(SMALL_SETTINGS)}
    bicubic = rows["48x32, bicubic"]
    assert {what.partition(", ")[2] for what in rows} == {
        *("bicubic", "EUSR, float32", "EUSR, bfloat16", "EUSR, onnxruntime"),
        "EUSR, test.py with its start",
    }
    for row in rows.values():
        assert row.times_bicubic == pytest.approx(row.seconds / bicubic.seconds)
        assert row.seconds_per_output_megapixel == pytest.approx(
            row.seconds / (64 * 96 / 1e6)
        )


def test_the_memory_of_a_large_picture_is_that_of_the_script(monkeypatch):
    small = [flag for flag in SMALL if "batch" not in flag]
    said = succeed("benchmarks/large_picture.py", *small, "--megapixels=0.01")
    line = said.strip().splitlines()[-1]
    assert line.startswith("121x81 at x2: 0.0 megapixels in ")
    size, unit = line.rpartition("memory ")[2].split()
    # Whatever a script of TensorFlow takes at least, and far less than a machine has.
    assert (unit == "MB" and float(size) > 300) or (unit == "GB" and float(size) < 4)
