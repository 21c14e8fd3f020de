"""The commands and the batch files of docs/clusters.md."""

import os
import re
import shlex
import subprocess

import pytest

from tests.cluster_here import cluster_here
from tests.parsing import flags_read_only
from tests.pictures import write_pictures
from tests.scripts import ROOT, run_here, succeed_here
from tests.test_documents import read_commands

PAGE = "docs/clusters.md"
# Words of other programs that look like flags of ours.
OTHERS = {"head", "address", "disable", "array", "cpus", "mem", "sshlogin"}
SCRIPTS = (
    *("test.py", "validate.py", "train.py"),
    *("score_predictors/predict.py", "misc/downscale_generator.py"),
)


def test_the_commands_of_the_page_run_in_their_order(tmp_path):
    write_pictures(tmp_path / "photos", [(24, 20), (30, 26), (26, 24)])
    hr = write_pictures(tmp_path / "DIV2K/valid/HR", [(112, 116), (96, 120)])
    commands = read_commands(PAGE)
    assert len(commands) == 6
    with cluster_here():
        for script, *flags in commands:
            succeed_here(ROOT / script, *flags, cwd=tmp_path)
    results = [path.name for path in (tmp_path / "SR").glob("*.png")]
    assert sorted(results) == ["0.png", "1.png", "2.png"]
    for scale in (2, 4, 8):
        lr = tmp_path / "DIV2K" / "valid" / "LR" / f"x{scale}"
        assert len(list(lr.glob("*.png"))) == len(list(hr.iterdir()))
    assert (tmp_path / "scores.csv").read_text().count("\n") == 4
    assert (tmp_path / "report.html").is_file()


BATCH_FILES = re.findall(r"```sh\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)
SLURM = {
    "SLURM_ARRAY_TASK_ID": "3",
    "SLURM_ARRAY_TASK_COUNT": "16",
    "SLURM_CPUS_PER_TASK": "2",
}
VARIABLES = [SLURM, {"JOB_COMPLETION_INDEX": "2"}]


@pytest.mark.parametrize(
    ("text", "variables"), zip(BATCH_FILES, VARIABLES, strict=True)
)
def test_a_batch_file_takes_its_part(tmp_path, text, variables):
    """By bash, with the variables set that SLURM or Kubernetes would set."""
    (tmp_path / "batch.sh").write_text(f'python() {{ printf "%s\\n" "$@"; }}\n{text}')
    done = subprocess.run(
        ["bash", "-eu", tmp_path / "batch.sh"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    script, *flags = done.stdout.split()
    assert "--shard=3/16" in flags
    with flags_read_only():
        succeed_here(ROOT / script, *flags, cwd=tmp_path)


def test_gnu_parallels_line_is_a_command_for_each_part(tmp_path):
    (line,) = re.findall(r"^parallel .*", (ROOT / PAGE).read_text(), re.MULTILINE)
    command, _, values = line.partition(":::")
    assert values.split() == ["$(seq", "16)"]
    script, *flags = shlex.split(command.replace("{}", "7"))[4:]
    with flags_read_only():
        succeed_here(ROOT / script, *flags, cwd=tmp_path)


def test_flags_that_the_page_names_exist():
    helps = [run_here(script, "--helpfull").stdout for script in SCRIPTS]
    known = set(re.findall(r"--(?:\[no\])?(\w+)", "".join(helps)))
    named = set(re.findall(r"--(\w+)", (ROOT / PAGE).read_text()))
    assert named - known - OTHERS == set()
