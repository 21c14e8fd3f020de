"""The network of EUSR: a trunk shared by all scales, and a head for each scale.

Kim and Lee, "Deep residual network with enhanced upscaling module for
super-resolution", CVPR Workshops 2018. Keras only; see `models.layers`.
"""

import dataclasses
import functools

import keras

from models.generator_settings import Architecture, factorise
from models.layers import (
    EnhancedUpscalingModule,
    LocalResidualBlock,
    MeanShift,
    ResidualModule,
    UpscalingNetwork,
    make_conv,
)
from upscaling.tiles import Stage, make_part

START_KERNEL = 5
START_BLOCKS = 2


class Generator(UpscalingNetwork):
    """Upscales RGB pictures by one of several scales.

    Args:
        architecture: Sizes of the network; the paper's by default.
        body_dtype: Keras dtype policy of all convolutions except the first and the
            last, which stay in float32; parts compute the last in the body's dtype.
    """

    def __init__(
        self, architecture: Architecture | None = None, body_dtype: str = "float32"
    ) -> None:
        """Makes all layers and their weights, for every scale."""
        sizes = self.architecture = architecture or Architecture()
        features = sizes.conv_features
        super().__init__(sizes.model_scales, features)
        modules = sum(r**2 for scale in self.scales for r in factorise(scale))
        blocks = START_BLOCKS * len(self.scales) + sizes.upscale_blocks * modules
        # Small weights keep the output of many residual blocks near their input.
        block_variance = 1e-4 / (blocks + sizes.shared_blocks)
        options: dict = {"block_variance": block_variance, "dtype": body_dtype}

        self.mean_shift = MeanShift(sizes.rgb_mean, name="mean_shift")
        self.first_conv = make_conv(features, 3, dtype="float32", name="first_conv")
        self.shared = ResidualModule(
            features, sizes.shared_blocks, name="shared", **options
        )
        # Keys are strings because checkpoints use them as names.
        self.starts, self.upscalings, self.last_convs = {}, {}, {}
        for scale in self.scales:
            key = f"x{scale}"
            self.starts[key] = [
                LocalResidualBlock(
                    features, sizes.start_kernel, name=f"{key}_start{index}", **options
                )
                for index in range(START_BLOCKS)
            ]
            self.upscalings[key] = [
                EnhancedUpscalingModule(
                    features,
                    sizes.upscale_blocks,
                    factor=factor,
                    name=f"{key}_upscaling{index}",
                    **options,
                )
                for index, factor in enumerate(factorise(scale))
            ]
            self.last_convs[key] = make_conv(
                3, 3, dtype="float32", name=f"{key}_last_conv"
            )
        self.build()

    def build(self, input_shape: tuple | None = None) -> None:
        """Makes the weights of every scale; they do not depend on the input."""
        self.mean_shift.build()
        self.first_conv.build((None, None, None, 3))
        inner = (None, None, None, self.features)
        self.shared.build(inner)
        for scale in self.scales:
            for layer in self._scale_layers(scale):
                layer.build(inner)

    def call(
        self, lr: keras.KerasTensor, scale: int, training: bool = True
    ) -> keras.KerasTensor:
        """See `UpscalingNetwork.call`."""
        x = self.trunk(lr, scale)
        for index in range(len(self.upscalings[f"x{scale}"])):
            x = self.enlarge(x, scale, index, training)
        return x

    def trunk(self, lr: keras.KerasTensor, scale: int) -> keras.KerasTensor:
        """Runs the part before upscaling: large receptive field, little memory.

        Makes (N, H, W, features), in the dtype of the body.
        """
        x = self.mean_shift(lr, sign=-1.0)
        if self.architecture.input_scale != 1:
            x = x / self.architecture.input_scale
        x = self.first_conv(x)
        for block in self.starts[f"x{scale}"]:
            x = block(x)
        return self.shared(x)

    def enlarge(
        self,
        features: keras.KerasTensor,
        scale: int,
        index: int,
        training: bool = False,
    ) -> keras.KerasTensor:
        """Runs a part after the trunk: a module, and in the last part a convolution.

        Its factor r is `factorise(scale)[index]`. It makes (N, H * r, W * r, features),
        in the dtype of the body; the last part makes float32 (N, H * r, W * r, 3), in
        [0, 255] but not clipped.
        """
        module, last = self.upscalings[f"x{scale}"][index], self.last_convs[f"x{scale}"]
        if index + 1 < len(self.upscalings[f"x{scale}"]):
            return module(features)
        if training:
            picture = last(module(features))
        else:
            pixels = module.make_pixels(features)
            picture = last.call_enlarged(pixels, module.factor)
            picture = keras.ops.cast(picture, "float32")
        if self.architecture.input_scale != 1:
            picture = picture * self.architecture.input_scale
        return self.mean_shift(picture, sign=1.0)

    def is_as_published(self) -> bool:
        """Whether the network has the paper's structure, at any size."""
        return self.architecture == self._publish()

    def make_as_published(self) -> "Generator":
        """Makes an equivalent network with the paper's structure.

        Kernels smaller than the paper's are padded with zeros.
        """
        other, input_scale = Generator(self._publish()), self.architecture.input_scale
        for ours, theirs in zip(self.weights, other.weights, strict=True):
            margins = [
                (t - o) // 2 for o, t in zip(ours.shape, theirs.shape, strict=True)
            ]
            theirs.assign(keras.ops.pad(ours, [(m, m) for m in margins]))
        other.first_conv.kernel.assign(other.first_conv.kernel / input_scale)
        for last in other.last_convs.values():
            for variable in last.weights:
                variable.assign(variable * input_scale)
        return other

    def _publish(self):
        return dataclasses.replace(
            self.architecture, start_kernel=START_KERNEL, input_scale=1.0
        )

    def path_variables(self, scale: int) -> list[keras.Variable]:
        """Lists the trained variables that one scale uses, in a fixed order."""
        layers = (self.first_conv, self.shared, *self._scale_layers(scale))
        return [v for layer in layers for v in layer.trainable_variables]

    def parts(self, scale: int) -> list[Stage]:
        """Cuts the network where it has few channels: trunk and enlarging parts."""
        factors = factorise(scale)
        start = START_BLOCKS * 2 * (self.architecture.start_kernel // 2)
        radii: list[float] = [1 + start + 2 * self.architecture.shared_blocks + 1]
        # Each convolution of the r * r residual modules adds a pixel to the radius.
        radii += [r**2 * (2 * self.architecture.upscale_blocks + 1) for r in factors]
        # The last convolution adds a pixel of the part's output.
        radii[-1] += 1 / factors[-1]
        return [
            make_part(
                functools.partial(self.run_part, scale=scale, index=index),
                factor,
                radius,
                self.features,
            )
            for index, (factor, radius) in enumerate(
                zip((1, *factors), radii, strict=True)
            )
        ]

    def run_part(
        self, x: keras.KerasTensor, scale: int, index: int
    ) -> keras.KerasTensor:
        """Runs part `index`: 0 is the trunk."""
        if index == 0:
            return self.trunk(x, scale)
        return self.enlarge(x, scale, index - 1)

    def _scale_layers(self, scale):
        """Returns the layers that only this scale uses."""
        key = f"x{scale}"
        return (*self.starts[key], *self.upscalings[key], self.last_convs[key])
