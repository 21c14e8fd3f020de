"""Checks the operations and constants of a frozen graph.

A graph is a program: some of TensorFlow's operations read and write files, open
connections, run Python or load machine code. Networks need none of them. Only
operations that compute tensors from tensors, without side effects, are accepted.
"""

import math
from typing import Any

from console.errors import InputError, name_some

PURE = frozenset(
    # Inputs and control flow: of TensorFlow 1, then of TensorFlow 2.
    "Assert Const Identity IdentityN NoOp Placeholder PlaceholderWithDefault "
    "Enter Exit LoopCond Merge NextIteration RefSwitch Switch "
    "Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf "
    "StatelessWhile While "
    # Numbers.
    "Abs Add AddN AddV2 BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd BiasAddV1 "
    "Cast Ceil ClipByValue Cos Div DivNoNan Einsum Elu Erf Exp Expm1 Floor FloorDiv "
    "FloorMod Inv LeakyRelu Log Log1p LogSoftmax MatMul Maximum Minimum Mod Mul "
    "MulNoNan Neg Pow RealDiv Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid "
    "Sign Sin Softmax Softplus Softsign Sqrt Square SquaredDifference Sub Tanh "
    "TruncateDiv Xdivy "
    # Comparisons.
    "All Any ApproximateEqual Equal Greater GreaterEqual IsFinite IsInf IsNan Less "
    "LessEqual LogicalAnd LogicalNot LogicalOr NotEqual Select SelectV2 Where "
    # Reductions.
    "ArgMax ArgMin Cumsum Max Mean Min Prod Sum TopK TopKV2 "
    # Images.
    "AvgPool Conv2D Conv2DBackpropInput DepthToSpace DepthwiseConv2dNative "
    "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 MaxPool MaxPoolV2 "
    "ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor SpaceToDepth "
    "BatchToSpaceND SpaceToBatchND "
    # Shapes and slices.
    "BroadcastArgs BroadcastTo Concat ConcatV2 EnsureShape ExpandDims Fill Gather "
    "GatherNd GatherV2 InvertPermutation LinSpace MirrorPad OneHot OnesLike Pack Pad "
    "PadV2 Range Rank Reshape ReverseV2 Shape ShapeN Size Slice Snapshot Split SplitV "
    "Squeeze StopGradient StridedSlice Tile Transpose Unpack ZerosLike "
    # Quantized numbers, as converters write them.
    "Bitcast Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars "
    "FakeQuantWithMinMaxVarsPerChannel".split()
)


# Bytes of a float64 or an int64.
LARGEST_ITEM = 8
# A constant that repeats one value stores the value once.
MOST_UNSTORED = 2**28


def check_constants(graph_def: Any, stored: int, source: str) -> None:
    """Refuses a graph whose constants claim much more than the file has bytes."""
    claimed: dict[str, int] = {}
    for node in _list_nodes(graph_def):
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            sizes = [max(dim.size, 0) for dim in tensor.tensor_shape.dim]
            claimed[node.name] = math.prod(sizes) * LARGEST_ITEM
    # Claims assume the largest dtype; a float32 is stored in half of that.
    if sum(claimed.values()) > 8 * stored + MOST_UNSTORED:
        name = max(claimed, key=claimed.__getitem__)
        raise InputError(
            f"{source}: refused because its constants claim up to "
            f"{sum(claimed.values()):,} bytes, most of them {name}, and the file has "
            f"{stored:,}. It is damaged."
        )


def _list_nodes(graph_def):
    nodes = [*graph_def.node]
    for function in graph_def.library.function:
        nodes.extend(function.node_def)
    return nodes


def check_operations(graph_def: Any, source: str) -> None:
    """Refuses a graph with operations that do more than compute, before it runs."""
    nodes = _list_nodes(graph_def)
    own = {function.signature.name for function in graph_def.library.function}
    found = sorted({node.op for node in nodes} - PURE - own)
    if found:
        raise InputError(
            f"{source}: refused because it has operations that a network does not need "
            f"and that may read or write files or run other code: {name_some(found)}."
        )
