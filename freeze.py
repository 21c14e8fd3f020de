r"""Freezes a trained model: network and weights in one .pb file.

    python freeze.py --model=eusr --scales=4 --restore_path=train/model.ckpt-1000 \
        --output_path=model.pb

The file is read back and compared with the model before it is called done.
"""

from absl import flags

from console import app, quiet
from console.choices import Choice
from console.files import check_target, written_whole
from console.flags import define_numbers, define_path
from console.progress import say
from models import BASELINES, MODELS

with quiet.imports():
    import numpy as np

    from frozen import graphs
    from frozen.upscaler import Upscaler, make_graph_def
    from imaging.tiles import upscale_image
    from models import opening
    from training import devices

FLAGS = flags.FLAGS
MODEL = Choice(
    "model",
    MODELS,
    None,
    "The model; the checkpoint knows it.",
    not_offered=BASELINES,
)

# Both run the same kernels; a graph of constants may be folded differently.
TOLERANCE = 1e-2


def define_flags():
    """Declares the flags."""
    define_numbers(
        "scales",
        None,
        "Scales to keep; if not given all that the model is trained at. One makes a "
        "file without sr_input_scale.",
    )
    opening.define_flags()
    flags.DEFINE_integer(
        "restore_global_step", 0, "Does nothing; kept for old commands."
    )
    define_path("output_path", "model.pb", "The file to write.")


def main():
    """Freezes, reads back, compares."""
    devices.choose("-1")
    check_target(FLAGS.output_path, "--output_path")
    model, _ = opening.open_from_flags(FLAGS.model)
    scales = FLAGS.scales or model.trained_scales or model.scales
    app.check_scales(scales, model)
    graph_def = make_graph_def(
        lambda scale: (
            lambda lr: model.trunk(lr, scale),
            lambda features: model.head(features, scale),
            model.radii(scale),
        ),
        scales,
    )
    with written_whole(FLAGS.output_path) as aside:
        graphs.save(graph_def, aside)
        difference = max(compare(model, aside, scale) for scale in scales)
        if difference > TOLERANCE:
            raise RuntimeError(
                f"The frozen graph differs from the model by {difference:.3g} levels."
            )
    names = ", ".join(f"x{scale}" for scale in scales)
    agreement = f"within {difference:.1g} grey levels" if difference else "exactly"
    say(
        f"Wrote {FLAGS.output_path} ({names}); it gives the model's output {agreement}."
    )


def compare(model, path, scale):
    """Largest difference between a file and the model on a made-up picture."""
    lr = np.random.default_rng(0).uniform(0, 255, (24, 32, 3)).astype(np.float32)
    ours, theirs = (upscale_image(m.stages(scale), lr) for m in (model, Upscaler(path)))
    return float(np.abs(ours - theirs).max())


if __name__ == "__main__":
    app.run(main, define_flags, (MODEL,))
