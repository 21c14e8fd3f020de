"""Parts of the work: --shard, and the records of several processes in one folder."""

import csv
import json

import pytest

from console.made import FINISHED, NAME, UNKNOWN, Made, stamp_source
from console.spread import Chosen, SpreadSettings
from tests.cluster_here import cluster_here
from tests.pictures import write_pictures
from tests.scripts import fail_here, run_here, succeed_here

PARTS = [f"--shard={part}/3" for part in (1, 2, 3)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    sizes = [(24 + n, 26) for n in range(9)]
    return write_pictures(tmp_path_factory.mktemp("pictures") / "HR", sizes)


def names_in(folder, pattern="*.png"):
    return sorted(path.name for path in folder.rglob(pattern))


def test_shards_of_enlarging_make_all_pictures_and_none_twice(pictures, tmp_path):
    flags = "--model=bicubic", f"--input_path={pictures}", "--scale=2"
    whole, parts = (f"--output_path={tmp_path / name}" for name in ("a", "b"))
    succeed_here("test.py", *flags, whole)
    made = []
    for part in PARTS:
        said = succeed_here("test.py", *flags, parts, part)
        new = set(names_in(tmp_path / "b")) - set(made)
        assert f"{part}: {len(new)} of 9 pictures." in said
        made += sorted(new)
        assert len(new) < 9
    assert sorted(made) == names_in(tmp_path / "a") and len(set(made)) == 9
    for name in made:
        one, other = (tmp_path / folder / name for folder in "ab")
        assert one.read_bytes() == other.read_bytes()
    # What the parts have made is known to all.
    assert "Kept 9 of 9 results" in succeed_here("test.py", *flags, parts)


def test_shards_of_downscaling_make_all_pictures(pictures, tmp_path):
    flags = f"--input_path={pictures}", "--scales=2,3", "--num_processes=1"
    script = "misc/downscale_generator.py"
    counts = []
    for part in PARTS:
        succeed_here(script, *flags, f"--output_path={tmp_path}", part)
        counts.append(len(names_in(tmp_path)))
    assert counts[0] < counts[1] < counts[2] == 18
    # A picture's results of all scales are of one part.
    assert names_in(tmp_path / "x2") == names_in(tmp_path / "x3")
    said = succeed_here(script, *flags, f"--output_path={tmp_path}")
    assert "Wrote 0, kept 18" in said


def test_shards_of_measuring_measure_all_pictures(pictures, tmp_path):
    flags = "--model=bicubic", "--scales=2", f"--data_truth_path={pictures}"
    rows = []
    for part in PARTS:
        report = tmp_path / f"{part[-3]}.json"
        succeed_here("validate.py", *flags, part, f"--report_path={report}")
        measured = json.loads(report.read_text())
        assert measured["shard"] == part.partition("=")[2]
        rows += measured["scales"]["2"]["images"]
    assert sorted(rows) == sorted(path.stem for path in pictures.iterdir())


def test_shards_of_scoring_score_all_pictures(pictures, tmp_path):
    rows = []
    for part in ("--shard=1/2", "--shard=2/2", "--shard=1/99999"):
        report = f"--report_path={tmp_path / 'scores.csv'}"
        flags = f"--input_path={pictures}", "--input_patch_size=32", part, report
        succeed_here("score_predictors/predict.py", *flags)
        with open(tmp_path / "scores.csv") as file:
            rows += [row["picture"] for row in csv.DictReader(file)]
    assert sorted(rows) == sorted(map(str, pictures.iterdir()))


def test_a_part_without_pictures_is_no_mistake(pictures, tmp_path):
    flags = "--model=bicubic", f"--input_path={pictures}", "--scale=2"
    empty = "--shard=1/99999", f"--output_path={tmp_path / 'SR'}"
    assert "0 of 9 pictures" in succeed_here("test.py", *flags, *empty)
    flags = "--model=bicubic", f"--data_truth_path={pictures}", "--shard=1/99999"
    assert "0 of 9 pictures" in succeed_here("validate.py", *flags)


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_a_wrong_part_is_refused(shard):
    with pytest.raises(ValueError, match=f"--shard={shard}: expected a part"):
        SpreadSettings(shard=shard).check()


def test_a_pipe_has_no_parts():
    line = fail_here("test.py", "--input_path=-", "--output_path=-", "--shard=1/2")
    assert "--shard: a pipe is read by one process" in line


def test_what_several_processes_record_is_whole(tmp_path):
    """Each has a file of its own, or adds whole lines to a common one."""
    source = tmp_path / "source.png"
    source.write_bytes(b"a")
    folder = tmp_path / "out"
    folder.mkdir()
    writers = [Made(folder, name) for name in (None, "1-2", "2-2", "2-2")]
    for index in range(40):
        target = folder / f"{index}.png"
        target.write_bytes(bytes(index))
        if index < 39:
            writers[index % 4].add(target, "maker", stamp_source(source))
    parts = {path.name for path in (folder / ".made").iterdir()}
    assert parts == {"1-2.jsonl", "2-2.jsonl"} and (folder / NAME).is_file()
    known = Made(folder)
    states = [known.look(source, folder / f"{n}.png", "maker") for n in range(40)]
    assert states == [FINISHED] * 39 + [UNKNOWN]
    # What a killed process left half written is passed over.
    with open(folder / ".made" / "1-2.jsonl", "a") as file:
        file.write('\n{"file": "39.p')
    assert Made(folder).look(source, folder / "38.png", "maker") == FINISHED


def test_chosen_items_are_found_anew_and_counted():
    chosen = Chosen(lambda: range(1, 6), lambda n: n % 2 == 1)
    assert (len(chosen), list(chosen), list(chosen)) == (3, [1, 3, 5], [1, 3, 5])
    assert 3 in chosen and 2 not in chosen


def test_a_cluster_does_what_one_process_does(pictures, tmp_path):
    """All scripts; Ray itself is in tests/test_ray.py."""
    hr, lr = f"--data_truth_path={pictures}", "--scales=2"
    scripts = {
        "test.py": ("--model=bicubic", f"--input_path={pictures}", "--scale=2"),
        "misc/downscale_generator.py": (f"--input_path={pictures}", lr),
        "validate.py": ("--model=bicubic", hr, lr),
        "score_predictors/predict.py": (
            *(f"--input_path={pictures}", "--input_patch_size=32"),
        ),
    }
    (pictures / "bad.PNG").write_bytes(b"no picture")
    outputs = {
        "test.py": ["output_path", "SR"],
        "misc/downscale_generator.py": ["output_path", "LR"],
        "validate.py": ["report_path", "report.json"],
        "score_predictors/predict.py": ["report_path", "scores.csv"],
    }
    for script, flags in scripts.items():
        if script == "validate.py":  # It measures all or nothing.
            (pictures / "bad.PNG").unlink()
        flag, name = outputs[script]
        ways = []
        for way, more in (("alone", ()), ("shared", ("--cluster=local",))):
            output = tmp_path / way / name
            with cluster_here():
                done = run_here(script, *flags, f"--{flag}={output}", *more)
            ways.append((done.returncode, *read(output)))
            assert "Traceback" not in done.stderr
        assert ways[0] == ways[1], script


def test_a_cluster_degrades_as_one_process_does(pictures, tmp_path):
    hr, photo = f"--data_truth_path={pictures}", "--degradation=photo"
    reports, folders = [], []
    for way, more in (("alone", ()), ("shared", ("--cluster=local",))):
        report, lr = tmp_path / f"{way}.json", tmp_path / way
        flags = "--scales=2", photo, *more
        with cluster_here():
            succeed_here(
                *("validate.py", "--model=bicubic", hr, f"--report_path={report}"),
                *flags,
            )
            succeed_here(
                *("misc/downscale_generator.py", f"--input_path={pictures}"),
                *(f"--output_path={lr}", *flags),
            )
        reports.append(report.read_text())
        folders.append(list(read(lr)))
    assert reports[0] == reports[1] and folders[0] == folders[1]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--cluster_cpus=2",), "--cluster_cpus needs a --cluster"),
        (("--cluster=local", "--num_processes=2"), "--num_processes is for one"),
    ],
)
def test_flags_without_an_effect_are_refused(pictures, tmp_path, flags, line):
    paths = f"--input_path={pictures}", f"--output_path={tmp_path}"
    assert line in fail_here("misc/downscale_generator.py", *paths, *flags)


def read(path):
    """A file's or a folder's visible contents, by name."""
    files = [path] if path.is_file() else sorted(path.rglob("[!.]*"))
    for each in files:
        if each.is_file() and ".made" not in each.parts:
            yield each.name, each.read_bytes()
