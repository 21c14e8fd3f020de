"""Watches a discriminator for having nothing left to teach."""

import tensorflow as tf

from training.state import make_counter

# Steps after which a verdict is given, then after as many again.
PATIENCE = 1000

# Of the answers (or of the steps), so many must be alike for a verdict.
SHARE = 0.99

_TOLERANCE = 1e-6


class DiscriminatorMonitor:
    """Judges a discriminator by its answers over `PATIENCE` steps.

    All of it is in checkpoints, so that a run that goes on does not begin to count
    anew, and the verdict waits for whoever asks.

    Attributes:
        steps: int64 scalar, steps since the last verdict.
        right: float32 scalar, sum of the accuracies of these steps.
        one_sided: float32 scalar, how many of them said the same of estimates and
            truth.
        has_won: bool scalar, the last verdict: it was nearly always right.
        has_collapsed: bool scalar, likewise: it nearly always said the same.
    """

    def __init__(self):
        """Nothing seen yet."""
        self.steps = make_counter(0, "steps")
        self.right, self.one_sided = (
            _make_variable(0.0, name) for name in ("right", "one_sided")
        )
        self.has_won, self.has_collapsed = (
            _make_variable(False, name) for name in ("has_won", "has_collapsed")
        )

    def record(self, accuracy):
        """Takes the answers of one step; runs within it.

        Args:
            accuracy: float32 scalar, the mean of two shares: of truth taken for
                truth, and of estimates taken for estimates.
        """
        # Always "true" and always "made" both are right in one half.
        is_one_sided = tf.abs(accuracy - 0.5) < _TOLERANCE
        steps = self.steps + 1
        right = self.right + accuracy
        one_sided = self.one_sided + tf.cast(is_one_sided, tf.float32)
        is_due, enough = steps >= PATIENCE, SHARE * PATIENCE
        self.has_won.assign(tf.where(is_due, right >= enough, self.has_won))
        self.has_collapsed.assign(
            tf.where(is_due, one_sided >= enough, self.has_collapsed)
        )
        for variable, value in (
            (self.steps, steps),
            (self.right, right),
            (self.one_sided, one_sided),
        ):
            variable.assign(tf.where(is_due, tf.zeros_like(value), value))

    def remarks(self):
        """What a person should know; each verdict is told once.

        Returns:
            list of str.
        """
        remarks = []
        for verdict, what in (
            (
                self.has_won,
                "was right nearly everywhere, so that the generator learns little from "
                "it; lower --eusr_learning_rate_discriminator",
            ),
            (
                self.has_collapsed,
                "said the same of estimates and truth, so that it teaches nothing; "
                "lower both learning rates, or --eusr_weight_lg",
            ),
        ):
            if verdict.numpy():
                remarks.append(f"for {PATIENCE} steps the discriminator {what}.")
                verdict.assign(False)
        return remarks

    def tree(self):
        """The variables as a root of a checkpoint."""
        return tf.train.Checkpoint(
            steps=self.steps,
            right=self.right,
            one_sided=self.one_sided,
            has_won=self.has_won,
            has_collapsed=self.has_collapsed,
        )


def _make_variable(value, name):
    return tf.Variable(
        value,
        trainable=False,
        # All replicas would assign the same.
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        name=name,
    )
