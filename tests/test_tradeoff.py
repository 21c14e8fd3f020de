import json

import pytest

from tests.scripts import fail_here, succeed_here
from training.summaries import Writer

START = {"average": {"psnr_y": 27.0, "niqe": 8.0}}
START["bicubic"] = {"average": {"psnr_y": 26.0, "niqe": 9.0}}


@pytest.fixture
def run(tmp_path):
    """The folder of a training that validated three times, once without NIQE."""
    writer = Writer(tmp_path / "run" / "x4")
    for step, values in {
        20: {"psnr_y": 26.5, "niqe": 6.0},
        10: {"psnr_y": 26.75, "niqe": 7.0},
        30: {"psnr_y": 26.0},
    }.items():
        scalars = {f"validation/{name}": value for name, value in values.items()}
        writer.write(step, scalars | {"loss": 1.0, "niqe": 99.0})
    writer.close()
    (path,) = (tmp_path / "run" / "x4").glob("events*[0-9].v2")
    path.write_bytes(path.read_bytes() + b"half an entry")  # As a kill leaves it.
    return tmp_path / "run"


def test_the_curve_begins_where_the_training_began(run, tmp_path):
    (tmp_path / "eusr.json").write_text(json.dumps({"scales": {"4": START}}))
    said = succeed_here(
        "misc/draw_tradeoff.py",
        *(f"--train_path={run}", f"--start_report={tmp_path / 'eusr.json'}"),
        f"--output_path={tmp_path / 'curve.png'}",
    )
    rows = [line.split() for line in said.splitlines()[1:-1]]
    assert rows == [
        ["0", "27.000", "8.000"],
        ["10", "26.750", "7.000"],
        ["20", "26.500", "6.000"],
    ]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_told(run, tmp_path):
    output = f"--output_path={tmp_path / 'curve.png'}"
    line = fail_here("misc/draw_tradeoff.py", f"--train_path={tmp_path}", output)
    assert "found no validation with NIQE at x4" in line
    (tmp_path / "other.json").write_text(json.dumps({"scales": {"2": START}}))
    broken = {"average": {"psnr_y": 1.0, "niqe": None}}
    (tmp_path / "null.json").write_text(
        json.dumps({"scales": {"4": broken | {"bicubic": broken}}})
    )
    for name, found in {
        "null.json": "expected a report of validate.py with x4",
        "other.json": "expected a report of validate.py with x4",
        "missing.json": "No such file",
    }.items():
        report = f"--start_report={tmp_path / name}"
        line = fail_here("misc/draw_tradeoff.py", f"--train_path={run}", report, output)
        assert found in line
    assert not (tmp_path / "curve.png").exists()
