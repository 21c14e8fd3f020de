"""Counts the floating-point operations of a TensorFlow function."""

import math
from typing import Any

import tensorflow as tf

# From an operation to two tensors with the shapes of a convolution's kernel and of its
# result. A gradient takes as many operations as the convolution itself.
COUNTED = {
    "Conv2D": lambda inputs, output: (inputs[1], output),
    "Conv2DBackpropInput": lambda inputs, output: (inputs[1], inputs[2]),
    "Conv2DBackpropFilter": lambda inputs, output: (output, inputs[2]),
}
COUNTED |= {
    name.replace("Conv2D", "DepthwiseConv2dNative"): shapes
    for name, shapes in COUNTED.items()
}


def count_flops(function: Any, *arguments: tf.Tensor) -> int:
    """Counts multiplications and additions of convolutions and matrix products.

    Operations that no result depends on are not counted, and neither are functions that
    the function calls, such as frozen graphs.

    Args:
        function: A `tf.function`.
        *arguments: Its arguments, tensors of known shapes.
    """
    graph = function.get_concrete_function(*arguments).graph
    ends = [tensor.op for tensor in graph.outputs] + graph.control_outputs
    return sum(map(_count_of, _find_needed(ends)))


def _find_needed(operations):
    """Finds all operations that some depend on; TensorFlow drops the others."""
    needed, coming = set(), list(operations)
    while coming:
        operation = coming.pop()
        if operation not in needed:
            needed.add(operation)
            coming += operation.control_inputs
            coming += [tensor.op for tensor in operation.inputs]
    return needed


def _count_of(operation):
    if operation.type == "MatMul":
        inner = 0 if operation.get_attr("transpose_a") else 1
        summed = operation.inputs[0].shape[inner]
        return 2 * summed * math.prod(operation.outputs[0].shape)
    if operation.type not in COUNTED:
        return 0
    shapes = COUNTED[operation.type](operation.inputs, operation.outputs[0])
    kernel, result = (tensor.shape for tensor in shapes)
    return 2 * math.prod(kernel) * math.prod(result[:-1])
