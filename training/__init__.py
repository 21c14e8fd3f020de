"""How a model is trained: the loop, checkpoints, TensorBoard."""
