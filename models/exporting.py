"""A model as a network that `frozen.formats` writes."""

from frozen import upscaler
from frozen.formats import Network


def make_network(model, scales):
    """Freezes a model that upscales.

    Args:
        model: Has `parts(scale)`.
        scales: The scales to keep; one makes a graph without `sr_input_scale`.

    Returns:
        frozen.formats.Network.
    """
    graph_def = upscaler.make_graph_def(model.parts, scales)
    return Network(graph_def, upscaler.INPUT, (upscaler.OUTPUT,), upscaler.serve)
