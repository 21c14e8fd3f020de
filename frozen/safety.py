"""Which operations a frozen graph may have.

A graph is a program: among TensorFlow's operations are some that read and write files,
open connections, run Python or load machine code. Networks need none of them, so only
operations are let in that compute tensors from tensors and touch nothing else.
"""

import math

from console.errors import InputError, name_some

PURE = frozenset(
    # What goes in, and control flow: of TensorFlow 1, then of 2.
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
    # Sums and the like.
    "ArgMax ArgMin Cumsum Max Mean Min Prod Sum TopK TopKV2 "
    # Images.
    "AvgPool Conv2D Conv2DBackpropInput DepthToSpace DepthwiseConv2dNative "
    "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 MaxPool MaxPoolV2 "
    "ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor SpaceToDepth "
    "BatchToSpaceND SpaceToBatchND "
    # Shapes and parts.
    "BroadcastArgs BroadcastTo Concat ConcatV2 EnsureShape ExpandDims Fill Gather "
    "GatherNd GatherV2 InvertPermutation LinSpace MirrorPad OneHot OnesLike Pack Pad "
    "PadV2 Range Rank Reshape ReverseV2 Shape ShapeN Size Slice Snapshot Split SplitV "
    "Squeeze StopGradient StridedSlice Tile Transpose Unpack ZerosLike "
    # Numbers of few bits, as converters write them.
    "Bitcast Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars "
    "FakeQuantWithMinMaxVarsPerChannel".split()
)


# Bytes of a float64 or an int64.
LARGEST_ITEM = 8
# Constants of one value many times are stored as that one.
MOST_UNSTORED = 2**28


def check_constants(graph_def, stored, source):
    """Refuses a graph whose constants claim much more memory than it is large.

    Args:
        graph_def: tf.compat.v1.GraphDef; its function library counts, too.
        stored: How many bytes its file has.
        source: Where the graph came from, for the message.

    Raises:
        InputError: With the largest of them.
    """
    claimed = {}
    for node in _list_nodes(graph_def):
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            sizes = [max(dim.size, 0) for dim in tensor.tensor_shape.dim]
            claimed[node.name] = math.prod(sizes) * LARGEST_ITEM
    # As if all were of the largest numbers: a float32 is stored in half of it.
    if sum(claimed.values()) > 8 * stored + MOST_UNSTORED:
        name = max(claimed, key=claimed.get)
        raise InputError(
            f"{source}: refused, for it is of {stored:,} bytes and its constants claim "
            f"up to {sum(claimed.values()):,}, most of them {name}. It is damaged."
        )


def _list_nodes(graph_def):
    nodes = [*graph_def.node]
    for function in graph_def.library.function:
        nodes.extend(function.node_def)
    return nodes


def check_operations(graph_def, source):
    """Refuses a graph that does more than compute; nothing of it has run by then.

    Args:
        graph_def: tf.compat.v1.GraphDef; its function library counts, too.
        source: Where the graph came from, for the message.

    Raises:
        InputError: With the operations that are not let in.
    """
    nodes = _list_nodes(graph_def)
    own = {function.signature.name for function in graph_def.library.function}
    found = sorted({node.op for node in nodes} - PURE - own)
    if found:
        raise InputError(
            f"{source}: refused, for it has operations that a network does not need "
            f"and that may read or write files or run other code: {name_some(found)}."
        )
