"""The discriminator of 4PP-EUSR: it classifies the patches of an image.

Choi, Kim, Cheon and Lee, "Deep learning-based image super-resolution considering
quantitative and perceptual quality", Neurocomputing 2019. Keras only; see
`models.layers`.
"""

import keras

from models.layers import make_conv

# Channels and stride of each 3x3 convolution.
CONVOLUTIONS = tuple(
    (features, stride) for features in (32, 64, 128, 256, 512) for stride in (1, 2)
)
HIDDEN = 1024
SLOPE = 0.2


class Discriminator(keras.layers.Layer):
    """Tells real images from generated images, at each position of a grid.

    Ten convolutions, of which every second halves the size, then two dense layers at
    each position. There is no normalisation, and images may have any size.

    Args:
        body_dtype: Keras dtype policy of all layers except the first convolution and
            the last dense layer, which stay in float32.
    """

    def __init__(self, body_dtype: str = "float32") -> None:
        """Makes all layers and their weights."""
        super().__init__(dtype="float32", name="discriminator")
        self.convs = [
            make_conv(
                features,
                3,
                strides=stride,
                activation=_leaky_relu,
                dtype=body_dtype if index else "float32",
                name=f"conv{index + 1}",
            )
            for index, (features, stride) in enumerate(CONVOLUTIONS)
        ]
        self.hidden = keras.layers.Dense(
            HIDDEN, activation=_leaky_relu, dtype=body_dtype, name="hidden"
        )
        self.last = keras.layers.Dense(1, dtype="float32", name="last")
        self.build()

    def build(self, input_shape: tuple | None = None) -> None:
        """Makes the weights; they do not depend on the input."""
        channels = 3
        for conv, (features, _) in zip(self.convs, CONVOLUTIONS, strict=True):
            conv.build((None, None, None, channels))
            channels = features
        self.hidden.build((None, None, None, channels))
        self.last.build((None, None, None, HIDDEN))

    def call(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Classifies images.

        Args:
            images: float32 (N, H, W, 3), RGB in [0, 255].

        Returns:
            float32 (N, H / 32, W / 32, 1), sizes rounded up: logits, positive for
            real.
        """
        for conv in self.convs:
            images = conv(images)
        return self.last(self.hidden(images))


def _leaky_relu(x):
    # `keras.ops.leaky_relu` makes TensorFlow print an error about fusing it with the
    # convolution before it.
    return keras.ops.maximum(x, SLOPE * x)
