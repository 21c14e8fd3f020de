"""What the scripts' command lines take, and what their short help shows."""

import re

import pytest
from PIL import Image

from console.flags import NumberParser, NumbersParser
from tests import forked
from tests.scripts import ROOT, fail_here, run_here

SCRIPTS = [
    *("train.py", "validate.py", "test.py", "freeze.py", "app.py"),
    *(f"misc/downscale_generator{name}.py" for name in ("", "_cv", "_tf")),
    *(f"misc/sample_{name}.py" for name in ("images", "scores")),
    *(f"misc/{name}.py" for name in ("demo", "draw_tradeoff")),
    *("misc/import_weights.py", "misc/train_jax.py"),
    *(f"score_predictors/{n}.py" for n in ("train", "evaluate", "freeze", "predict")),
]
FOLDERS = (
    *("misc", "score_predictors", "dataloaders", "models", "training", "reports"),
    *("imaging", "upscaling", "page", "misc/jax_training"),
)

# What a script can hardly be run without, and what says where it reads and writes.
NEEDED = {
    "train.py": "data_truth_path data_input_path train_path model scales max_steps",
    "validate.py": "restore_path restore_target data_truth_path data_input_path "
    "data_sr_path",
    "app.py": "restore_path model_name host password max_pixels scale",
    "test.py": "restore_path model_name input_path output_path scale",
    "freeze.py": "restore_path scales output_path format",
    "misc/downscale_generator.py": "input_path output_path scales rounding",
    "misc/downscale_generator_cv.py": "input_path output_path scale",
    "misc/downscale_generator_tf.py": "input_path output_path scale",
    "misc/demo.py": "output_path steps",
    "misc/draw_tradeoff.py": "train_path start_report output_path",
    "misc/import_weights.py": "input_path output_path",
    "misc/train_jax.py": "data_truth_path data_input_path train_path model scales "
    "max_steps max_seconds",
    "misc/sample_images.py": "output_path",
    "misc/sample_scores.py": "input_path output_path",
    "score_predictors/train.py": "ava_dataset_path ava_image_path mobilenetv2_weights",
    "score_predictors/evaluate.py": "restore_path model_name ava_image_path",
    "score_predictors/freeze.py": "restore_path output_path",
    "score_predictors/predict.py": "restore_path model_name input_path",
}


def start(script, *arguments):
    """Runs a script; in this process Keras runs on TensorFlow, and on nothing else."""
    if "jax" in script:
        return forked.run([script, *arguments], server=forked.JAX)
    return run_here(script, *arguments)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_short_help_shows_what_a_script_cannot_be_run_without(script):
    said = start(script, "--helpshort").stdout
    for name in NEEDED[script].split():
        assert f"  --{name}:" in said, name


def test_all_scripts_are_looked_at():
    found = [
        str(path.relative_to(ROOT))
        for folder in (".", "misc", "score_predictors")
        for path in (ROOT / folder).glob("*.py")
        if "app.run(" in path.read_text()
    ]
    assert sorted(found) == sorted(SCRIPTS)


def test_the_paths_of_the_chosen_loader_are_shown():
    said = run_here("score_predictors/train.py", "--dataloader=tid2013", "--helpshort")
    assert "--tid2013_image_path" in said.stdout
    assert "  --ava_image_path:" not in said.stdout


def test_only_what_can_be_trained_is_offered():
    said = run_here("train.py", "--helpshort").stdout
    assert "eusr" in said and "bicubic" not in said
    assert "bicubic" not in run_here("freeze.py", "--helpshort").stdout
    wrong = run_here("train.py", "--model=nothing").stderr
    assert "eusr" in wrong and "bicubic" not in wrong
    assert "bicubic" in run_here("validate.py", "--helpshort").stdout


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (
            "--batch_sise=4",
            "--batch_sise is not a flag of this script, its model or its loader. Did "
            "you mean --batch_size? --helpfull lists the flags.",
        ),
        (
            "--scale=4",
            "--scale is not a flag of this script, its model or its loader. Did you "
            "mean --scale_weights, --scales? --helpfull lists the flags.",
        ),
        (
            "--use_ema=maybe",
            "--use_ema=maybe: expected true or false. --helpfull describes the flag.",
        ),
        (
            "--nouse_ema=3",
            "--nouse_ema=3 does not take an argument. --helpfull lists the flags.",
        ),
        (
            "--batch_size=x",
            "--batch_size=x: expected a whole number of at least 1. --helpshort "
            "describes the flag.",
        ),
        (
            "--eusr_learning_rate=nan",
            "--eusr_learning_rate=nan: expected a finite number of at least 0. "
            "--helpfull describes the flag.",
        ),
    ],
)
def test_a_mistake_in_a_flag_is_told_in_our_words(flag, said):
    done = run_here("train.py", flag)
    assert (done.returncode, done.stderr) == (1, f"Error: {said}\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_path_may_be_empty(script):
    paths = [n for n in NEEDED[script].split() if n.endswith("_path")]
    for name in paths:
        line = start(script, f"--{name}=").stderr
        assert f"--{name}=: expected a path, found nothing" in line


def test_paths_and_numbers_are_declared_so_that_they_are_checked():
    places = ("*.py", *(f"{name}/*.py" for name in FOLDERS))
    for path in (path for place in places for path in ROOT.glob(place)):
        text = path.read_text()
        assert "DEFINE_float(" not in text, path
        assert not re.search(r'DEFINE_string\(\s*"\w+_path"', text), path


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "x", ""])
def test_a_number_that_is_not_finite_is_refused(text):
    with pytest.raises(ValueError, match="finite number"):
        NumberParser(float).parse(text)
    with pytest.raises(ValueError, match="finite numbers"):
        NumbersParser(float).parse(f"1,{text}")


@pytest.mark.parametrize("script", ["train.py", "score_predictors/train.py"])
def test_a_seed_that_numpy_would_refuse_is_refused_with_a_line(script):
    line = fail_here(script, "--seed=4294967296")
    assert (
        "--seed=4294967296: expected a whole number of at least 0 and at most" in line
    )


# Runs a script whose standard output nobody reads.
UNREAD = """
import os, runpy, sys
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_help_of_which_only_the_head_is_read_ends_quietly():
    done = forked.run(["-c", UNREAD, ROOT / "test.py", "--helpshort"])
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("flag", ["-h", "--help", "--helpshort", "--helpfull"])
def test_who_asks_for_help_has_made_no_mistake(flag):
    done = run_here("test.py", flag)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  --output_path:" in done.stdout


@pytest.mark.parametrize("first", ["", "# a comment\n", "\n"])
def test_a_file_of_flags_may_begin_with_a_mark(tmp_path, first):
    path = tmp_path / "flags.txt"
    path.write_text(f"{first}--scale=0.5\n", encoding="utf-8-sig")
    line = fail_here("test.py", f"--flagfile={path}")
    assert "--scale=0.5: expected a number of at least 1" in line
    path.write_text("--scale=0.5\n", encoding="utf-16")
    assert "not text in UTF-8" in fail_here("test.py", f"--flagfile={path}")
    assert "Unable to open" in fail_here("test.py", "--flagfile=none.txt")


def test_names_do_not_control_the_terminal(tmp_path):
    red = "\x1b[31m\nred"
    (tmp_path / f"{red}.png").write_bytes(b"no picture")
    Image.new("RGB", (9, 9)).save(tmp_path / f"good{red}.png")
    flags = "--model=bicubic", f"--output_path={tmp_path / 'out'}"
    done = run_here("test.py", *flags, f"--input_path={tmp_path}")
    assert "\x1b" not in done.stdout + done.stderr
    escaped = r"\x1b[31m\nred.png"
    assert f"good{escaped} (9x9) -> " in done.stdout
    assert f"/{escaped}: is not an image" in done.stderr
    assert r"gone\x1b: does not exist" in fail_here("test.py", "gone\x1b", *flags)
