import pytest
import tensorflow as tf

from models import MODELS
from models.eusr import EUSR
from models.four_pass_eusr import FourPassEUSR
from tests.pictures import write_pictures
from tests.scripts import fail_here, succeed_here
from tests.toy import Toy
from training.options import FOR_ANY_MODEL, StepOptions

OPTIONS = {
    "precision": "bfloat16",
    "ema_decay": 0.9,
    "gradient_clip_norm": 1.0,
    "learning_rate_warmup_steps": 5,
    "skip_nonfinite": 1,
}


@pytest.fixture
def train_toy(monkeypatch, tmp_path):
    """What starts train.py with a model that implements no more than it must."""
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("a process of its own would not know the toy")
    monkeypatch.setitem(MODELS, "toy", "tests.toy:Toy")
    images = write_pictures(tmp_path / "HR", [(48, 60)])
    paths = {
        "data_truth_path": images,
        "train_path": tmp_path / "run",
        "cache_path": tmp_path / "cache",
    }

    def start(command, *more):
        given = [f"--{name}={path}" for name, path in paths.items()]
        sizes = ("--batch_size=2", "--input_patch_size=8", "--max_steps=2")
        return command("train.py", "--model=toy", *given, *sizes, *more)

    return start


@pytest.mark.parametrize(
    "flag",
    [*(f"--{name}={value}" for name, value in OPTIONS.items()), "--jit_compile"],
)
def test_a_flag_that_a_model_does_not_heed_is_refused(train_toy, tmp_path, flag):
    said = train_toy(fail_here, flag)
    assert said == (f"Error: {flag}: --model=toy does not support it. Leave it out.")
    assert not (tmp_path / "run").exists()


def test_flags_that_change_nothing_are_taken(train_toy):
    flags = ("--ema_decay=0", "--precision=float32", "--nojit_compile")
    assert "Saved" in train_toy(succeed_here, *flags)


def test_a_flag_is_taken_once_a_model_says_that_it_heeds_it(train_toy, monkeypatch):
    monkeypatch.setattr(Toy, "step_options", ("ema_decay",))
    assert "Saved" in train_toy(succeed_here, "--ema_decay=0.9")


@pytest.mark.parametrize("model", [EUSR, FourPassEUSR])
def test_the_models_that_ship_heed_all(model):
    assert {*model.step_options, *FOR_ANY_MODEL} == set(vars(StepOptions()))


@pytest.mark.parametrize("script", ["validate.py", "test.py"])
def test_a_precision_of_what_has_no_network_is_refused(tmp_path, script):
    images = write_pictures(tmp_path / "HR", [(48, 60)])
    paths = {
        "validate.py": (f"--data_truth_path={images}",),
        "test.py": (f"--input_path={images}", f"--output_path={tmp_path / 'out'}"),
    }
    said = fail_here(script, "--model=bicubic", "--precision=bfloat16", *paths[script])
    assert said.startswith(
        "Error: --precision=bfloat16: --model=bicubic does not support"
    )
