"""A U-Net discriminator: it classifies each pixel, and how it does so is bounded.

Wang, Xie, Dong and Shan, "Real-ESRGAN", ICCV Workshops 2021: a U-Net with spectral
normalisation (Miyato et al., ICLR 2018). Added here: a blur before each stride (Zhang,
"Making convolutional networks shift-invariant again", ICML 2019), without which the
even and the odd pixels of an image are judged differently and the generator learns to
draw a grid. Keras only; see `models.layers`.
"""

import keras
import numpy as np
from keras import ops

from models.discriminator import leaky_relu
from models.layers import Convolution, make_conv

# Times that height and width are halved.
DEPTH = 3
# Iterations of the power method for the spectral norm of a kernel.
ITERATIONS = 4
BLUR = (0.25, 0.5, 0.25)


class SpectralConvolution(Convolution):
    """A convolution without bias whose kernel is divided by its spectral norm.

    The norm is that of the kernel as a matrix (inputs x outputs). Each call finds it
    anew by the power method from a fixed vector, so that there is no state to store
    and to keep equal on all devices; after few iterations it is somewhat low.
    """

    def spectral_norm(self) -> keras.KerasTensor:
        """Returns the norm, a float32 scalar; its gradient treats u and v as fixed."""
        matrix = ops.reshape(self.kernel, (-1, self.filters))
        fixed = ops.stop_gradient(matrix)
        start = np.random.default_rng(0).standard_normal(self.filters)
        v = ops.convert_to_tensor(start, "float32")
        for _ in range(ITERATIONS):
            u = _to_unit(ops.matmul(fixed, v))
            v = _to_unit(ops.matmul(u, fixed))
        return ops.sum(u * ops.matmul(matrix, v))

    def call(
        self, x: keras.KerasTensor, norm: keras.KerasTensor | float = 1.0
    ) -> keras.KerasTensor:
        """Maps (N, H, W, C) to (N, H / stride, W / stride, filters).

        `norm` is the result of `spectral_norm`, computed in float32 by the caller.
        """
        kernel = self.kernel / ops.cast(norm, x.dtype)
        return self.activation(self.convolution_op(x, kernel))


class UNetDiscriminator(keras.layers.Layer):
    """Tells real images from generated images, at each pixel.

    Args:
        body_dtype: Keras dtype policy of all layers except the first and the last
            convolution, which stay in float32.
        features: Channels at full size, and twice as many at each halving; those of
            Real-ESRGAN are 64.
    """

    first_name = "first"
    default_features = 64

    def __init__(
        self, body_dtype: str = "float32", features: int = default_features
    ) -> None:
        """Makes all layers and their weights."""
        super().__init__(dtype="float32", name="discriminator")

        def make(name, width, size=3, strides=1):
            return SpectralConvolution(
                width,
                size,
                strides=strides,
                padding="same",
                data_format="channels_last",
                use_bias=False,
                activation=leaky_relu,
                kernel_initializer="he_normal",
                dtype=body_dtype,
                name=name,
            )

        widths = [features * 2**depth for depth in range(DEPTH + 1)]
        self.first = make_conv(
            features,
            3,
            kernel_initializer="he_normal",
            activation=leaky_relu,
            dtype="float32",
            name="first",
        )
        self.down = [
            make(f"down{depth}", width, 4, 2)
            for depth, width in enumerate(widths[1:], 1)
        ]
        self.up = [
            make(f"up{depth}", widths[depth]) for depth in reversed(range(DEPTH))
        ]
        self.ends = [make(f"end{index}", features) for index in (1, 2)]
        self.last = make_conv(1, 3, dtype="float32", name="last")
        self.build()

    def build(self, input_shape: tuple | None = None) -> None:
        """Makes the weights; they do not depend on the size of the input."""
        self.call(ops.zeros((1, 8, 8, 3)))

    @staticmethod
    def count_values(features: int = default_features) -> float:
        """See `Discriminator.count_values`: of all layers at each size."""
        # A convolution's output and its activation: the first and the ends, the blur.
        values = 2.0 * 3 * features + features
        for depth in range(1, DEPTH + 1):
            width, shrunk = features * 2**depth, 4**depth
            # Down and the blur there; at twice the size the interpolation and up.
            values += 3 * width / shrunk + (width + 2 * width / 2) * 4 / shrunk
        return values

    def call(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Maps float32 (N, H, W, 3), RGB in [0, 255], to logits (N, H, W, 1)."""
        x = self.first(images / 127.5 - 1.0)
        x = ops.cast(x, self.ends[0].compute_dtype)
        skipped = []
        for conv in self.down:
            skipped.append(x)
            x = _convolve(conv, _blur(ops.copy(x)))
        for conv in self.up:
            before = skipped.pop()
            x = _convolve(conv, _double(x, before)) + before
        for conv in self.ends:
            x = _convolve(conv, x)
        return self.last(x)


def _convolve(conv, x):
    if not conv.built:
        conv.build(x.shape)
    return conv(x, conv.spectral_norm())


def _blur(x):
    """Smooths (N, H, W, C) by a binomial of three pixels each way, zero outside."""
    kernel = np.outer(BLUR, BLUR)[:, :, None, None]
    kernel = ops.cast(np.tile(kernel, (1, 1, x.shape[-1], 1)), x.dtype)
    return ops.depthwise_conv(x, kernel, padding="same", data_format="channels_last")


def _double(x, like):
    """Doubles height and width by bilinear interpolation, cut to the size of `like`."""
    height, width = ops.shape(like)[1:3]
    size = [2 * side for side in ops.shape(x)[1:3]]
    x = ops.image.resize(x, size, "bilinear", data_format="channels_last")
    return x[:, :height, :width]


def _to_unit(vector):
    return vector / (ops.norm(vector) + 1e-12)
