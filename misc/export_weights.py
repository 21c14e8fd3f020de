r"""Writes the weights of a checkpoint alone, to hand on.

    python misc/export_weights.py --restore_path=train/eusr \
        --output_path=pretrained/eusr/model.ckpt-1000

What only a training needs is left out: what Adam remembers, the discriminator, the
weights beside their running average, and what the run was started with, which names
folders of this machine. The rest is what `validate.py`, `freeze.py`, `test.py` and
`train.py --restore_target=generator` take. The files are read back and compared before
they are called done.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from console import app, quiet  # noqa: E402
from console.progress import say, to_size  # noqa: E402

with quiet.imports():
    import tensorflow as tf

    from misc import exporting
    from training import checkpoints


def main():
    """Opens, writes, reads back."""
    settings = exporting.ExportSettings.from_flags().begin()
    model, step = settings.open(None)
    model.state.step.assign(step)
    with exporting.written_checkpoint(settings.output_path) as aside:
        tf.train.Checkpoint(**model.roots()).write(aside)
        checkpoints.check_same(aside, model.roots())
    files = [Path(f"{settings.output_path}{part}") for part in exporting.PARTS]
    size = to_size(sum(file.stat().st_size for file in files))
    wrote = f"Wrote {settings.output_path} ({size}, step {step})"
    say(f"{wrote}; read back, it is the same.")


if __name__ == "__main__":
    app.run(main, (exporting.ExportSettings,))
