"""A model as a network that `frozen.formats` writes."""

from frozen import upscaler
from frozen.formats import Network


def make_network(model, scales):
    """Freezes a model that upscales.

    Args:
        model: Has `trunk`, `head` and `radii`.
        scales: The scales to keep; one makes a graph without `sr_input_scale`.

    Returns:
        frozen.formats.Network.
    """
    graph_def = upscaler.make_graph_def(
        lambda scale: (
            lambda lr: model.trunk(lr, scale),
            lambda features: model.head(features, scale),
            model.radii(scale),
        ),
        scales,
    )
    return Network(graph_def, upscaler.INPUT, (upscaler.OUTPUT,), upscaler.serve)
