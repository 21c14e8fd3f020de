"""The least that a model of a user's own can be: it scales what is enlarged."""

import tensorflow as tf

from models.base import Model
from training.state import State


class Toy(Model):
    """Repeats pixels, and learns by what to multiply them."""

    name = "toy"
    scales = default_scales = (2,)

    def __init__(self, options=None):
        self.state = State({"model": self.name, "architecture": {}}, options)
        self.factor = tf.Variable(0.5)

    def forward(self, lr, scale):
        return self.factor * tf.repeat(tf.repeat(lr, scale, axis=1), scale, axis=2)

    def train_step(self, lr, hr, scale):
        lr, hr = tf.cast(lr, tf.float32), tf.cast(hr, tf.float32)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(self.forward(lr, scale) - hr))
        gradient = tape.gradient(loss, self.factor)
        self.factor.assign_sub(1e-3 * gradient)
        return {"loss": loss, "gradient_norm": tf.abs(gradient)}

    def checkpoint_items(self):
        generator = tf.train.Checkpoint(factor=self.factor)
        return {"generator": generator, "state": self.state.tree()}
