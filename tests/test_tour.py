"""The tour, with the smallest sizes and networks, its scripts in this process."""

import functools
import json

from imaging.files import load_image
from tests.four_pass import narrow_discriminator
from tests.pictures import crop_sample
from tests.scripts import run_commands_here, succeed_here
from tests.small_predictor import narrow_mobilenetv2


def test_the_tour_walks_the_whole_road(tmp_path, monkeypatch):
    crop = functools.partial(crop_sample, tmp_path)
    commands = run_commands_here(monkeypatch, after_images=crop)
    with narrow_mobilenetv2(), narrow_discriminator():
        said = succeed_here(
            *("misc/demo.py", "--tour"),
            *(f"--output_path={tmp_path}", "--eusr_steps=1", "--epochs=1"),
            "--steps=1",
        )
    scripts = [script for script, *_ in commands]
    assert scripts.count("train.py") == scripts.count("validate.py") == 2
    assert scripts.count("score_predictors/train.py") == 2
    assert scripts.count("score_predictors/freeze.py") == 2
    assert load_image(tmp_path / "perceptual.png").ndim == 3
    for name in ("eusr", "4pp_eusr"):
        report = json.loads((tmp_path / "tour" / f"{name}.json").read_text())
        average = report["scales"]["4"]["average"]
        assert 1 <= average["aesthetic"] <= 10 and 0 <= average["subjective"] <= 9
        row = next(x for x in said.splitlines() if x.split()[:1] == [name])
        assert f"{average['psnr_y']:.2f}" in row.split()
