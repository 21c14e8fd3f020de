"""docs/quickstart.ipynb, run from top to bottom as its reader would."""

import json
import os
import re

from tests import forked
from tests.scripts import ROOT

NOTEBOOK = json.loads((ROOT / "docs" / "quickstart.ipynb").read_text())
CELLS = [
    "".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"
]
# Runs the cells in one namespace, then says what the pictures came to.
PROGRAM = """
import json, sys
names = {"__name__": "__main__"}
for cell in json.loads(sys.argv[1]):
    exec(cell, names)
for pictures in (names["enlarged"], names["tuned"]):
    print(json.dumps({
        name: [picture.shape, names["psnr_y"](picture, names["truth"])]
        for name, picture in pictures.items()
    }))
"""


def execute(cells, folder):
    """Executes cells in a process of its own."""
    environment = {**os.environ, "MPLBACKEND": "Agg", "TF_NUM_INTRAOP_THREADS": "2"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = ["-c", PROGRAM, json.dumps(cells)]
    return forked.run(command, cwd=folder, env=environment)


def test_the_cells_run_and_fine_tuning_helps(tmp_path):
    # As a clone, in which what the cells write is thrown away.
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name != "quickstart":
            (tmp_path / path.name).symlink_to(path)
    done = execute(CELLS, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    enlarged, tuned = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    for shape, _ in (*enlarged.values(), *tuned.values()):
        assert shape == [300, 448, 3]
    psnr = {name: value for name, (_, value) in enlarged.items()}
    assert psnr["EUSR"] > psnr["4PP-EUSR"] > psnr["input"]
    assert psnr["EUSR"] > psnr["bicubic"] + 0.5
    assert tuned["fine-tuned"][1] > tuned["EUSR"][1] + 1
    assert (tmp_path / "quickstart" / "run" / "model.ckpt-24.index").is_file()


def test_colab_is_told_what_to_set(tmp_path):
    colab = "import sys, types; sys.modules['google.colab'] = types.ModuleType('colab')"
    done = execute([colab, CELLS[0]], tmp_path)
    assert done.returncode == 1
    assert "Set REPOSITORY to the address of the repository." in done.stderr


def test_the_notebook_is_stored_without_outputs():
    for cell in NOTEBOOK["cells"]:
        assert not cell.get("outputs") and not cell.get("execution_count")


def test_every_link_leads_somewhere():
    targets = re.findall(r"\]\(([^)]+)\)", json.dumps(NOTEBOOK))
    assert len(targets) == 3
    for target in targets:
        assert (ROOT / "docs" / target).exists(), target


def test_git_ignores_what_it_writes():
    folders = set(re.findall(r"_path=(\w+)/", json.dumps(NOTEBOOK))) - {"pretrained"}
    assert folders == {"quickstart"}
    assert "/quickstart/" in (ROOT / ".gitignore").read_text().splitlines()
