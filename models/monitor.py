"""Detects a discriminator that no longer helps the training."""

import tensorflow as tf

from training.state import make_counter

# Steps between two verdicts.
PATIENCE = 1000

# Least share of equal answers (or steps) for a verdict.
SHARE = 0.99

_TOLERANCE = 1e-6


class DiscriminatorMonitor:
    """Gives verdicts on a discriminator from its accuracy over `PATIENCE` steps.

    Checkpoints contain all variables, so a resumed run continues to count. A verdict
    stays until it is read.

    Attributes:
        steps: int64 scalar, steps since the last verdict.
        right: float32 scalar, sum of the accuracies of these steps.
        one_sided: float32 scalar, number of these steps with equal answers for
            estimates and truth.
        has_won: bool scalar, last verdict: nearly all answers were right.
        has_collapsed: bool scalar, last verdict: nearly all answers were equal.
    """

    def __init__(self) -> None:
        """Starts with all counts at zero."""
        self.steps = make_counter(0, "steps")
        self.right = make_counter(0.0, "right", tf.float32)
        self.one_sided = make_counter(0.0, "one_sided", tf.float32)
        self.has_won = make_counter(False, "has_won", tf.bool)
        self.has_collapsed = make_counter(False, "has_collapsed", tf.bool)

    def record(self, accuracy: tf.Tensor) -> None:
        """Counts the accuracy of a step; runs in its graph.

        `accuracy`, a float32 scalar, is the mean of two shares: truth classified as
        real, and estimates classified as generated.
        """
        # Equal answers for all images are right for half of them.
        is_one_sided = tf.abs(accuracy - 0.5) < _TOLERANCE
        steps = self.steps + 1
        is_due = steps >= PATIENCE
        for count, verdict, value in (
            (self.right, self.has_won, accuracy),
            (self.one_sided, self.has_collapsed, tf.cast(is_one_sided, tf.float32)),
        ):
            total = count + value
            verdict.assign(tf.where(is_due, total >= SHARE * PATIENCE, verdict))
            count.assign(tf.where(is_due, 0.0, total))
        self.steps.assign(tf.where(is_due, tf.zeros_like(steps), steps))

    def remarks(self) -> list[str]:
        """Returns the verdicts as text, each once."""
        remarks = []
        for verdict, what in (
            (
                self.has_won,
                "was nearly always right, so the generator learns little from it; "
                "lower --eusr_learning_rate_discriminator",
            ),
            (
                self.has_collapsed,
                "gave estimates and truth the same answer, so the generator learns "
                "nothing from it; lower both learning rates, or --eusr_weight_lg",
            ),
        ):
            if verdict.numpy():
                remarks.append(f"for {PATIENCE} steps the discriminator {what}.")
                verdict.assign(False)
        return remarks

    def tree(self) -> tf.train.Checkpoint:
        """Returns the variables as an item of a checkpoint."""
        return tf.train.Checkpoint(**vars(self))
