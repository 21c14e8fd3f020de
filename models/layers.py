"""The layers of EUSR (Kim and Lee, CVPR Workshops 2018, section 3).

Keras layers and `keras.ops` only, so that any Keras backend runs them. No tensor
here feeds more than two consumers: TensorFlow sums three or more gradients in an
order that varies from run to run, so a third use goes through `keras.ops.copy`.
"""

import keras
from keras import layers


class Convolution(layers.Conv2D):
    """Keras' `Conv2D` of stride 1 with a faster gradient.

    Keras' `add` is TensorFlow's BiasAdd. Without gradients it is fused with the
    convolution, the activation and a residual. Its gradient is fused with the kernel's:
    on a CPU, in float32 and with tensors larger than the cache, that runs at half the
    speed of the kernel's gradient alone, so training uses `+`.
    """

    def call(self, x: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Maps (N, H, W, C) to (N, H, W, filters)."""
        x = self.convolution_op(x, self.kernel)
        bias = keras.ops.convert_to_tensor(self.bias)
        return self.activation(x + bias if training else keras.ops.add(x, bias))

    def call_enlarged(self, x: keras.KerasTensor, factor: int) -> keras.KerasTensor:
        """Convolves `depth_to_space(x, r)` by 3x3 without making that large tensor.

        The kernel is rearranged to make all pixels that replace a pixel of `x` at once:
        from (N, H, W, r * r * C) to (N, H * r, W * r, filters), in the dtype of `x`.
        """
        ops, r, wide = keras.ops, factor, factor**2 * self.filters
        kernel = ops.convert_to_tensor(self.kernel)
        # A window of 3r x 3r pixels for each of the r * r pixels in its middle.
        margins = [(r + i - 1, 2 * r - 2 - i) for i in range(r)]
        windows = [
            ops.pad(kernel, (rows, columns, (0, 0), (0, 0)))
            for rows in margins
            for columns in margins
        ]
        kernel = ops.reshape(ops.concatenate(windows, -1), (3, r, 3, r, -1, wide))
        kernel = ops.reshape(
            ops.transpose(kernel, (0, 2, 1, 3, 4, 5)), (3, 3, -1, wide)
        )
        bias = ops.tile(ops.convert_to_tensor(self.bias), (r * r,))
        x = self.convolution_op(x, ops.cast(kernel, x.dtype))
        x = ops.add(x, ops.cast(bias, x.dtype))
        return ops.depth_to_space(x, r, data_format="channels_last")


def make_conv(features: int, kernel_size: int, **kwargs: object) -> Convolution:
    """Makes a convolution that keeps height and width; its biases start at zero."""
    return Convolution(
        features,
        kernel_size,
        padding="same",
        # The user's keras.json may have another default.
        data_format="channels_last",
        **kwargs,
    )


class UpscalingNetwork(layers.Layer):
    """A network with a path for each of several scales, cut into parts.

    A subclass makes its layers, each with a name, and has a method `parts(scale)`: it
    returns a list of `upscaling.tiles.Stage` that upscale a batch in sequence.
    """

    def __init__(self, scales: tuple[int, ...], features: int) -> None:
        """Makes the layer, in float32; inner layers may have another dtype."""
        super().__init__(dtype="float32", name="generator")
        self.scales, self.features = tuple(scales), features

    def build(self, input_shape: tuple | None = None) -> None:
        """Makes the weights of every scale, by one pass at each."""
        for scale in self.scales:
            self.call(keras.ops.zeros((1, 8, 8, 3)), scale)

    def path_variables(self, scale: int) -> list[keras.Variable]:
        """Lists the trained variables that a scale may use, in a fixed order."""
        return self.trainable_variables

    def call(
        self, lr: keras.KerasTensor, scale: int, training: bool = True
    ) -> keras.KerasTensor:
        """Upscales float32 (N, H, W, 3), RGB in [0, 255], in one pass, not clipped.

        Args:
            lr: The batch.
            scale: Upscaling factor, one of `self.scales`, a Python int.
            training: Passed on to all layers. Parts that run by themselves, to enlarge
                pictures, compute the same in the way that is faster without gradients.
        """
        for part in self.parts(scale):
            lr = part.run(lr)
        return lr


class MeanShift(layers.Layer):
    """Adds or subtracts a fixed RGB mean, in float32 at any precision.

    The mean is a non-trainable weight, so checkpoints contain it.
    """

    def __init__(self, rgb_mean: tuple[float, ...], **kwargs: object) -> None:
        """Takes the mean of R, G and B, in [0, 255]."""
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.initial = tuple(float(value) for value in rgb_mean)

    def build(self, input_shape: tuple | None = None) -> None:
        """Makes the weight."""
        self.rgb_mean = self.add_weight(
            name="rgb_mean",
            shape=(3,),
            initializer=lambda shape, dtype: keras.ops.convert_to_tensor(
                self.initial, dtype
            ),
            trainable=False,
        )

    def call(self, rgb: keras.KerasTensor, sign: float) -> keras.KerasTensor:
        """Adds (`sign` 1) or subtracts (`sign` -1) the mean."""
        return rgb + sign * keras.ops.convert_to_tensor(self.rgb_mean)


class LocalResidualBlock(layers.Layer):
    """x + conv(relu(conv(x))), without normalisation.

    `block_variance` is the variance of the weights times their fan-in.
    """

    def __init__(
        self, features: int, kernel_size: int, block_variance: float, **kwargs: object
    ) -> None:
        """Makes the two convolutions."""
        super().__init__(**kwargs)
        self.first, self.second = (
            make_conv(
                features,
                kernel_size,
                kernel_initializer=keras.initializers.VarianceScaling(
                    block_variance, mode="fan_in", distribution="truncated_normal"
                ),
                activation=activation,
                dtype=self.dtype_policy,
                name=name,
            )
            for name, activation in (("first", "relu"), ("second", None))
        )

    def build(self, input_shape: tuple) -> None:
        """Makes the weights of both convolutions."""
        self.first.build(input_shape)
        self.second.build(input_shape)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Maps (N, H, W, features) to the same shape."""
        return x + self.second(self.first(x))


class ResidualModule(layers.Layer):
    """x + conv(block(... block(x))) with 3x3 local residual blocks."""

    def __init__(
        self, features: int, blocks: int, block_variance: float, **kwargs: object
    ) -> None:
        """Makes the blocks and the last convolution."""
        super().__init__(**kwargs)
        self.blocks = [
            LocalResidualBlock(
                features,
                3,
                block_variance,
                dtype=self.dtype_policy,
                name=f"block{index}",
            )
            for index in range(blocks)
        ]
        self.last = make_conv(features, 3, dtype=self.dtype_policy, name="last")

    def build(self, input_shape: tuple) -> None:
        """Makes the weights of all convolutions."""
        for block in self.blocks:
            block.build(input_shape)
        self.last.build(input_shape)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Maps (N, H, W, features) to the same shape."""
        inner = keras.ops.copy(x)
        for block in self.blocks:
            inner = block(inner)
        return x + self.last(inner)


class EnhancedUpscalingModule(layers.Layer):
    """Multiplies height and width by a whole factor r (the paper's EUM, r = 2).

    r * r residual modules run in sequence; each output holds one of the r * r pixels
    that replace an input pixel.
    """

    def __init__(
        self,
        features: int,
        blocks: int,
        block_variance: float,
        factor: int = 2,
        **kwargs: object,
    ) -> None:
        """Makes the residual modules."""
        super().__init__(**kwargs)
        self.factor = factor
        self.parts = [
            ResidualModule(
                features,
                blocks,
                block_variance,
                dtype=self.dtype_policy,
                name=f"pixel{index}",
            )
            for index in range(factor**2)
        ]

    def build(self, input_shape: tuple) -> None:
        """Makes the weights of all modules."""
        for part in self.parts:
            part.build(input_shape)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Maps (N, H, W, features) to (N, H * r, W * r, features)."""
        return keras.ops.depth_to_space(
            self.make_pixels(x), self.factor, data_format="channels_last"
        )

    def make_pixels(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Maps (N, H, W, features) to (N, H, W, r * r * features)."""
        pixels = []
        for part in self.parts:
            x = part(x)
            pixels.append(x)
            x = keras.ops.copy(x)
        return keras.ops.concatenate(pixels, axis=-1)
