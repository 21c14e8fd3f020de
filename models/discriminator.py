"""The discriminator of 4PP-EUSR: it classifies the patches of an image.

Choi, Kim, Cheon and Lee, "Deep learning-based image super-resolution considering
quantitative and perceptual quality", Neurocomputing 2019. Keras only; see
`models.layers`.
"""

import keras

from models.layers import make_conv

# Channels of each 3x3 convolution, as a multiple of the first one's, and its stride.
CONVOLUTIONS = tuple((width, stride) for width in (1, 2, 4, 8, 16) for stride in (1, 2))
# Those of the dense layer.
HIDDEN = 32
SLOPE = 0.2


class Discriminator(keras.layers.Layer):
    """Tells real images from generated images, at each position of a grid.

    Ten convolutions, of which every second halves the size, then two dense layers at
    each position. There is no normalisation, and images may have any size.

    Args:
        body_dtype: Keras dtype policy of all layers except the first convolution and
            the last dense layer, which stay in float32.
        features: Channels of the first convolution; the paper's are 32.
    """

    first_name = "conv1"
    default_features = 32

    def __init__(
        self, body_dtype: str = "float32", features: int = default_features
    ) -> None:
        """Makes all layers and their weights."""
        super().__init__(dtype="float32", name="discriminator")
        self.convs = [
            make_conv(
                width * features,
                3,
                strides=stride,
                activation=leaky_relu,
                dtype=body_dtype if index else "float32",
                name=f"conv{index + 1}",
            )
            for index, (width, stride) in enumerate(CONVOLUTIONS)
        ]
        self.hidden = keras.layers.Dense(
            HIDDEN * features, activation=leaky_relu, dtype=body_dtype, name="hidden"
        )
        self.last = keras.layers.Dense(1, dtype="float32", name="last")
        self.build()

    def build(self, input_shape: tuple | None = None) -> None:
        """Makes the weights; they do not depend on the input."""
        channels = 3
        for layer in (*self.convs, self.hidden, self.last):
            layer.build((None, None, None, channels))
            channels = layer.bias.shape[0]

    @staticmethod
    def count_values(features: int = default_features) -> float:
        """Counts the values per pixel of an image that are kept for the gradient."""
        values, shrunk = 0.0, 1
        for width, stride in CONVOLUTIONS:
            shrunk *= stride**2
            values += 2 * width * features / shrunk
        return values

    def call(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Maps float32 (N, H, W, 3), RGB in [0, 255], to logits, positive for real.

        They are float32 (N, H / 32, W / 32, 1), sizes rounded up.
        """
        for conv in self.convs:
            images = conv(images)
        return self.last(self.hidden(images))


def leaky_relu(x: keras.KerasTensor) -> keras.KerasTensor:
    """Computes max(x, 0.2 x)."""
    # `keras.ops.leaky_relu` makes TensorFlow print an error about fusing it with the
    # convolution before it.
    return keras.ops.maximum(x, SLOPE * x)
