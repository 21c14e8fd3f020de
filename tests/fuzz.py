r"""Damages files of every kind that the scripts read, and sees what they say.

    python -m tests.fuzz pb --count=300

runs what `tests/test_fuzz.py` runs with fewer files. A file damaged by chance may still
be a good one, so a script may end well or with one line, but with nothing else: no
traceback, no crash, no hang, nothing half-written, and no memory that the file only
claims to need.
"""

import argparse
import faulthandler
import functools
import re
import resource
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from console import quiet

with quiet.imports():
    from frozen.upscaler_graph import make_network
    from score_predictors import weight_files
    from score_predictors.mobilenetv2 import MobileNetV2, Settings
    from tests.four_pass import write_predictor
    from tests.kinds_of_pictures import KINDS as PICTURES
    from tests.pictures import write_pictures
    from tests.scored_data import write_ava, write_tid2013
    from tests.scripts import run_here, succeed_here
    from tests.small import SMALL_FLAGS, make_small
    from tests.small_predictor import narrow_mobilenetv2
    from training.checkpoint_writer import CheckpointWriter

from frozen import graphs

# What a script may take beside what it has; TensorFlow alone has more.
MOST_MEMORY = 1.5e9
SECONDS = 120
WORDS = b"nan inf -1 0 1e400 99999999999999999999 -9223372036854775809 x null".split()
WORDS += [b"", b"\xff\xfe", b"\x00", b"true", b"[]", b"{}", b'"', b"\n"]


def mutate(data, draw):
    """Damages a file's bytes in one to three places.

    Args:
        data: bytes.
        draw: np.random.Generator.

    Returns:
        bytes.
    """
    for _ in range(draw.integers(1, 4)):
        data = _mutate_once(data, draw) or b"\0"
    return data


def _mutate_once(data, draw):
    start, stop = sorted(draw.integers(0, len(data) + 1, 2))
    length = int(draw.integers(1, 17))
    near = data[start + length :]
    kinds = [
        lambda: data[:start],
        lambda: data[:start] + data[stop:],
        lambda: data[:stop] + data[start:],
        lambda: data[:start] + draw.bytes(length) + near,
        lambda: data[:start] + draw.bytes(length) + data[start:],
        lambda: data[:start] + b"\xff" * length + near,
        lambda: data[:start] + b"\0" * length + near,
        lambda: _flip(data, draw),
        lambda: _flip(data, draw),
        lambda: _exchange_word(data, draw),
    ]
    return kinds[draw.integers(len(kinds))]()


def _flip(data, draw):
    flipped = bytearray(data)
    flipped[draw.integers(len(data))] ^= 1 << draw.integers(8)
    return bytes(flipped)


def _exchange_word(data, draw):
    words = list(re.finditer(rb"[\w.\-+]+", data))
    if not words:
        return data
    word = words[draw.integers(len(words))]
    new = WORDS[draw.integers(len(WORDS))]
    return data[: word.start()] + new + data[word.end() :]


def _upscale(folder, *source):
    return "test.py", *source, "--scale=2", f"--output_path={folder / 'out'}"


def _frozen(folder):
    graph_def = make_network(make_small(), (2,)).graph_def
    graphs.save(graph_def, folder / "model.pb")
    write_pictures(folder / "LR", [(9, 8)])
    return f"--model_name={folder / 'model.pb'}", f"--input_path={folder / 'LR'}"


def _make_pb(folder):
    source = _frozen(folder)
    return folder / "model.pb", _upscale(folder, *source)


def _make_checkpoint(folder, part):
    model = make_small()
    prefix = CheckpointWriter(model.checkpoint_items(), folder / "run", 1).save(0)
    write_pictures(folder / "LR", [(9, 8)])
    source = (f"--restore_path={prefix}", f"--input_path={folder / 'LR'}")
    return Path(f"{prefix}.{part}"), _upscale(folder, *source)


def _make_index(folder):
    return _make_checkpoint(folder, "index")


def _make_data(folder):
    return _make_checkpoint(folder, "data-00000-of-00001")


def _make_h5(folder):
    network = MobileNetV2(Settings(alpha=0.35, weights="none")).network
    weight_files.save(folder / "w.h5", network, {"alpha": 0.35, "first_score": 1})
    write_pictures(folder / "LR", [(40, 40)])
    arguments = (f"--restore_path={folder / 'w.h5'}", f"--input_path={folder / 'LR'}")
    report = f"--report_path={folder / 'out' / 'scores.csv'}"
    return folder / "w.h5", ("score_predictors/predict.py", *arguments, report)


def _make_picture(folder, name):
    path = folder / "pictures" / f"0{Path(name).suffix}"
    path.parent.mkdir()
    PICTURES[name].write(path)
    source = ("--model=bicubic", f"--input_path={path.parent}")
    return path, _upscale(folder, *source)


def _evaluate(folder, *arguments):
    model = write_predictor(folder / "p.pb")
    report = f"--report_path={folder / 'out' / 'report.json'}"
    arguments = (*arguments, f"--model_name={model}", report, "--input_patch_size=32")
    return "score_predictors/evaluate.py", *arguments


def _make_ava(folder):
    table, images = write_ava(folder)
    arguments = (f"--ava_dataset_path={table}", f"--ava_image_path={images}")
    more = ("--dataloader=ava", "--ava_validate_range=-8,0")
    return table, _evaluate(folder, *arguments, *more)


def _make_mos(folder):
    images = write_tid2013(folder)
    arguments = (f"--tid2013_image_path={images}", "--tid2013_validate_range=0,8")
    command = _evaluate(folder, "--dataloader=tid2013", *arguments)
    return folder / "mos_with_names.txt", command


def _make_arguments(folder):
    write_pictures(folder / "HR", [(40, 40)])
    command = (
        *("train.py", f"--data_truth_path={folder / 'HR'}", "--max_steps=1"),
        *(f"--train_path={folder / 'run'}", f"--cache_path={folder / 'cache'}"),
        *("--batch_size=1", "--input_patch_size=8", "--scales=2", *SMALL_FLAGS),
    )
    succeed_here(*command)
    return folder / "run" / "arguments.json", command


# From a kind of file to what makes one and the command that reads it.
KINDS = {
    "pb": _make_pb,
    "index": _make_index,
    "data": _make_data,
    "h5": _make_h5,
    "png": functools.partial(_make_picture, name="exif.png"),
    "jpg": functools.partial(_make_picture, name="turned by 90.jpg"),
    "webp": functools.partial(_make_picture, name="lossless.webp"),
    "tif": functools.partial(_make_picture, name="turned.tif"),
    "16-bit tif": functools.partial(_make_picture, name="deep.tif"),
    "16-bit png": functools.partial(_make_picture, name="deep rgba.png"),
    "AVA.txt": _make_ava,
    "mos_with_names.txt": _make_mos,
    "arguments.json": _make_arguments,
}


@narrow_mobilenetv2()
def fuzz(kind, count, folder, seed=0):
    """Runs a script on damaged files.

    Args:
        kind: One of `KINDS`.
        count: How many files.
        folder: An empty folder for all of it.
        seed: Of the first file; the others follow.

    Returns:
        int: How many of the files were refused.

    Raises:
        AssertionError: A script did what it should not, with the file's seed.
    """
    (folder / "out").mkdir()
    target, command = KINDS[kind](folder)
    data = target.read_bytes()
    assert _check(run_here(*command), f"{kind}, as it was", folder) == 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    refused = 0
    for number in range(seed, seed + count):
        shutil.rmtree(folder / "out")
        (folder / "out").mkdir()
        target.write_bytes(mutate(data, np.random.default_rng(number)))
        # A test cannot catch a hang: it ends the process, with where it was.
        faulthandler.dump_traceback_later(SECONDS, exit=True, file=sys.__stderr__)
        try:
            done = run_here(*command)
        finally:
            faulthandler.cancel_dump_traceback_later()
        refused += _check(done, f"{kind}, seed {number}", folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        assert peak - before < MOST_MEMORY, f"{kind}, seed {number}: {peak:,} bytes"
    return refused


def _check(done, what, folder):
    """Whether a script refused its file, as it should if it does."""
    said = f"{what}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode in (0, 1), said
    lines = done.stderr.strip().splitlines()
    assert len(lines) <= 3, said
    assert all(line.startswith(("Error: ", "Warning: ")) for line in lines), said
    # A picture that is left out is a warning, for the others go on.
    has_reason = any(n in done.stderr for n in ("Error: ", "Warning: left out"))
    assert has_reason if done.returncode else "Error: " not in done.stderr, said
    assert not list(folder.rglob("*.part*")), said
    for path in folder.glob("out/0.*"):
        Image.open(path).load()
    return done.returncode


def main():
    """Fuzzes one kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        refused = fuzz(options.kind, options.count, Path(folder), options.seed)
    print(f"{options.kind}: {options.count} damaged files, {refused} refused")


if __name__ == "__main__":
    main()
