"""Every command that the documents show is run, on small pictures."""

import functools
import itertools
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from imaging.files import load_image, save_image
from imaging.imresize import make_lr
from imaging.pictures import Picture
from imaging.saving import save_picture
from metrics.niqe import FEATURES
from score_predictors import weight_files
from score_predictors.mobilenetv2 import MobileNetV2, Settings
from tests import forked
from tests.four_pass import narrow_discriminator
from tests.parsing import flags_read_only
from tests.pictures import crop_sample, draw_picture, write_pictures
from tests.scored_data import write_ava, write_tid2013
from tests.scripts import (
    ROOT,
    fail_here,
    run_commands_here,
    run_here,
    succeed,
    succeed_here,
)
from tests.small_predictor import narrow_mobilenetv2
from training import devices

# What makes a command small; the last of two equal flags counts.
SMALL_NETWORK = ["--eusr_conv_features=4", "--eusr_shared_blocks=1"]
SMALLER = {
    "train.py": [
        *("--max_steps=2", "--batch_size=2", "--input_patch_size=8"),
        "--cache_path=cache",
    ],
    "score_predictors/train.py": [
        *("--epochs=1", "--mobilenetv2_alpha=0.35", "--input_patch_size=32"),
        "--mobilenetv2_weights=imagenet.h5",
    ],
}
# What the documents' ranges become on data sets of a few rows.
RANGES = {
    "AVA": ["--ava_train_range=0,-4", "--ava_validate_range=-4,0"],
    "TID2013": ["--tid2013_train_range=4,0", "--tid2013_validate_range=0,4"],
    "Kodak24": ["--tid2013_train_range=25,0", "--tid2013_validate_range=0,25"],
}
# Run by the tests of other files, so that here only their flags are read.
PARSED_PAGES = ("docs/jax.md", "docs/measurements.md", "pretrained/README.md")
LAST_STEP = {"model.ckpt-1000000": "model.ckpt-2", "model.ckpt-300": "model.ckpt-2"}


def read_commands(document):
    """The commands in a document's bash blocks, as lists of words."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    commands = []
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            assert words[0] == "python", line
            commands.append(words[1:])
    return commands


def make_data(folder):
    """Small pictures where the documents have DIV2K and the others."""
    names = (
        "DIV2K/train/HR",
        "DIV2K/valid/HR",
        "BSDS500/train",
        "Kodak24/HR",
        "Set5/HR",
        "images",
    )
    for place, name in enumerate(names):
        write_pictures(folder / name, [(72, 80), (64, 68)], 10 * place)
    # Large enough for NIQE.
    write_pictures(folder / "B100" / "HR", [(104, 200), (112, 200)])
    (folder / "NIQE").mkdir()
    niqe = {"mu_prisparam": np.ones(FEATURES), "cov_prisparam": np.eye(FEATURES)}
    scipy.io.savemat(folder / "NIQE" / "modelparameters.mat", niqe)
    write_ava(folder / "AVA")
    write_tid2013(folder / "TID2013")
    network = MobileNetV2(Settings(alpha=0.35, weights="none")).network
    weight_files.save(folder / "imagenet.h5", network, {"alpha": 0.35})
    for name, scales in (("B100", (2, 4)), ("Set5", (2, 4, 8))):
        for index, scale in itertools.product(range(2), scales):
            hr = load_image(folder / name / "HR" / f"{index}.png")
            lr = folder / name / "LR" / f"x{scale}" / f"{index}x{scale}.png"
            save_image(lr, make_lr(hr, scale))


def choose_ranges(script, flags):
    """Ranges of rows for a command that reads scores; none for others."""
    if script not in ("score_predictors/train.py", "score_predictors/evaluate.py"):
        return []
    names = [name for name in RANGES if any(f"={name}/" in flag for flag in flags)]
    return RANGES[names[0]]


README, TRAINING = "README.md", "TRAINING.md"
DOCUMENTS = (README, TRAINING, *PARSED_PAGES)


def start(script, *flags, cwd):
    """Starts a script in a process of its own."""
    return forked.run([script, *flags], cwd=cwd)


def start_jax(*words):
    """Likewise where Keras runs on JAX, as it does in all of a process."""
    return forked.run(words, server=forked.JAX)


@pytest.fixture
def narrow_networks():
    with narrow_mobilenetv2(), narrow_discriminator():
        yield


def parse(script, *flags, **options):
    """Starts a script that ends once its flags are read and checked."""
    if "jax" in script:
        succeed("-m", "tests.parsing", script, *flags, command=start_jax)
        return
    with flags_read_only():
        succeed_here(ROOT / script, *flags, **options)


@pytest.mark.parametrize(
    ("document", "count"),
    zip(PARSED_PAGES, (4, 14, 18), strict=True),
)
def test_the_flags_of_commands_are_read(tmp_path, document, count):
    commands = read_commands(document)
    assert len(commands) == count
    text = " ".join((ROOT / document).read_text().split())
    for name, values in re.findall(r"`(\w+\.json)` (?:is )?`(\{.*?\})`", text):
        (tmp_path / name).write_text(values)
    for script, *flags in commands:
        parse(script, *flags, cwd=tmp_path)


def test_what_a_command_reads_is_made_before():
    made = {"DIV2K/train/HR", "DIV2K/valid/HR", "B100", "Set5", "Kodak24/HR", "images"}
    made |= {"AVA", "TID2013", "BSDS500/train", "NIQE", "pretrained", "photos", "few"}
    for document in DOCUMENTS[1:]:  # Each page goes on with what those before made.
        for script, *flags in read_commands(document):
            paths = dict(flag[2:].partition("=")[::2] for flag in flags)
            target = paths.pop("train_path", "")
            written = {target, paths.pop("output_path", ""), paths.pop("save_path", "")}
            if "weight_filename" in paths:
                written = {f"{target}/{paths['weight_filename']}"}
            written |= {paths.pop(f"{each}_path", "") for each in ("report", "csv")}
            written |= {paths.pop("plot_path", ""), paths.pop("report", "")}
            read = [p for f, p in paths.items() if f.endswith(("_path", "_report"))]
            for path in map(Path, read):
                # It is one of these, lies in one, or holds one.
                known = [e for e in made if path in (Path(e), *Path(e).parents)]
                known += [each for each in made if path.is_relative_to(each)]
                assert known, f"{document}: {script} reads {path}"
            made |= written - {""}


@pytest.mark.parametrize(("document", "count"), [(README, 10), (TRAINING, 28)])
def test_the_commands_of_a_document_run_in_their_order(
    tmp_path, monkeypatch, narrow_networks, document, count
):
    # Where bfloat16 is slow a warning says so, and none is expected below.
    monkeypatch.setattr(devices, "warn_if_slow", lambda precision: None)
    commands = read_commands(document)
    assert len(commands) == count
    make_data(tmp_path)
    (tmp_path / "pretrained").symlink_to(ROOT / "pretrained")
    save_picture(tmp_path / "photo.jpg", Picture(draw_picture(18, 20)))
    # README's are started as its reader would where no other test does so.
    alone = {"test.py", "validate.py", "freeze.py"} if document == README else set()
    for script, *flags in commands:
        for shown, there in LAST_STEP.items():
            flags = [flag.replace(shown, there) for flag in flags]
        smaller = [*SMALLER.get(script, []), *choose_ranges(script, flags)]
        if script == "train.py" and not any("=pretrained/" in flag for flag in flags):
            smaller += SMALL_NETWORK
        if any(flag.startswith("--validate_truth_path") for flag in flags):
            smaller.append("--validate_freq=2")
        # The tests of other files write every format.
        if any(flag.startswith("--format=") for flag in flags):
            parse(script, *flags, cwd=tmp_path)
            continue
        command = start if script in alone else run_here
        succeed(ROOT / script, *flags, *smaller, cwd=tmp_path, command=command)
        alone.discard(script)
    assert not alone
    pictures = [path.name for path in (tmp_path / "SR").glob("*.png")]
    assert sorted(pictures) == ["0.png", "1.png"]
    assert load_image(tmp_path / "SR" / "0.png").shape == (72, 80, 3)


def test_flags_that_a_document_names_exist():
    helps = {
        script: run_here(script, "--helpfull", "--model=4pp_eusr").stdout
        for script in ("train.py", "validate.py", "freeze.py", "test.py")
    }
    helps["jax"] = start_jax("misc/train_jax.py", "--helpfull").stdout
    helps["import"] = run_here("misc/import_weights.py", "--helpfull").stdout
    helps["page"] = run_here("app.py", "--helpfull").stdout
    helps["misc"] = run_here("misc/downscale_generator.py", "--helpfull").stdout
    helps["scores"] = run_here("misc/sample_scores.py", "--helpfull").stdout
    helps["tradeoff"] = run_here("misc/draw_tradeoff.py", "--helpfull").stdout
    for name in ("train", "evaluate", "predict"):
        script = f"score_predictors/{name}.py"
        for loader in ("ava", "tid2013")[: 1 if name == "predict" else 2]:
            choice = [] if name == "predict" else [f"--dataloader={loader}"]
            helps[name + loader] = run_here(script, "--helpfull", *choice).stdout
    helps["speed"] = run_here("benchmarks/speed.py", "--helpfull").stdout
    known = set(re.findall(r"--(?:\[no\])?(\w+)", "".join(helps.values())))
    for document in DOCUMENTS:
        named = re.findall(r"--(\w+)(?![\w*])", (ROOT / document).read_text())
        unknown = {name.removeprefix("no") for name in named} - known - {"logdir"}
        assert unknown - {name.removeprefix("no") for name in known} == set()


def test_what_the_documents_commands_read_and_write_here_is_ignored_by_git():
    commands = [command for each in DOCUMENTS for command in read_commands(each)]
    words = [word.partition("=") for command in commands for word in command]
    paths = {p for flag, _, p in words if flag.endswith("_path") or flag == "--report"}
    paths = {path for path in paths if not path.startswith("pretrained/")}
    # A folder that is not there is known by what it would hold.
    paths = {path if "." in path else f"{path}/0.png" for path in paths} | {
        *("scores.csv", "benchmark.json", "AVA.txt", "AVA/1.jpg", "TID2013/i01.bmp"),
        *("Set5/HR/baby.png", "score_predictor.h5", "score_predictor_frozen.pb"),
    }
    if subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("this is no checkout of git")
    command = ["git", "check-ignore", "--no-index", *sorted(paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert set(done.stdout.split()) == paths


def test_the_demo_walks_the_road_and_does_not_praise_a_poor_result(
    tmp_path, monkeypatch
):
    run_commands_here(
        monkeypatch, after_images=functools.partial(crop_sample, tmp_path)
    )
    line = fail_here("misc/demo.py", f"--output_path={tmp_path}", "--steps=1")
    assert "expected at least 2.0 dB" in line
    for name in ("comparison.png", "fine_tuned.png", "model.pb"):
        assert (tmp_path / name).is_file()
    of_eusr, of_4pp_eusr = (
        load_image(tmp_path / "SR" / model / "chelsea.png")
        for model in ("eusr", "4pp_eusr")
    )
    assert 0.5 < np.abs(of_eusr.astype(float) - of_4pp_eusr).mean() < 5


def test_the_demo_trains_and_validates_on_different_photographs(tmp_path):
    succeed("misc/sample_images.py", f"--output_path={tmp_path}")
    names = [
        {path.name for path in (tmp_path / part / "HR").iterdir()}
        for part in ("train", "validate")
    ]
    assert len(names[0]) == 5 and len(names[1]) == 3
    assert not names[0] & names[1]


def test_the_lines_of_python_in_readme_enlarge_a_picture(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (tmp_path / "pretrained").symlink_to(ROOT / "pretrained")
    save_picture(tmp_path / "photo.jpg", Picture(draw_picture(20, 31)))
    monkeypatch.chdir(tmp_path)
    exec(code, {})  # noqa: S102 - as its reader would
    assert load_image(tmp_path / "SR" / "photo.png").shape == (80, 124, 3)


def test_a_link_of_a_document_leads_to_a_file_and_a_heading():
    for document in (
        *DOCUMENTS,
        "docs/clusters.md",
        "docs/details.md",
        "docs/architecture.md",
        "CONTRIBUTING.md",
    ):
        text = re.sub(r"```.*?```", "", (ROOT / document).read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)]+)\)", text):
            name, _, heading = target.partition("#")
            path = (ROOT / document).parent / (name or Path(document).name)
            assert path.exists(), f"{document}: {target}"
            if heading:
                titles = re.findall(r"^#+ (.*)", path.read_text(), re.MULTILINE)
                words = [re.sub(r"[^\w -]", "", title.lower()) for title in titles]
                assert heading in [word.replace(" ", "-") for word in words], target
