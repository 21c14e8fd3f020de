"""Measures the network while it is trained, on the CPU beside the accelerator."""

import dataclasses
import functools
import threading

import jax

from imaging.files import to_uint8
from metrics.measuring import SHAVE_SIZE, average, measure_scale
from misc.jax_training.network import Network
from models.generator import Generator
from upscaling.tiles import upscale_image


class Upscaler:
    """A generator as `metrics.measuring` takes pictures through it, in float32."""

    def __init__(self, architecture, device):
        """Makes the network.

        Args:
            architecture: A `models.generator_settings.Architecture`.
            device: The JAX device that it runs on.
        """
        self.network = Network(Generator.from_architecture(architecture))
        self.device, self.weights = device, None
        self.runs = {}

    def take(self, weights):
        """Takes the weights that pictures go through from now on."""
        self.weights = jax.device_put(weights, self.device)

    def stages(self, scale):
        """See `models.base.Model.stages`."""
        return [
            dataclasses.replace(part, run=self._run(scale, index))
            for index, part in enumerate(self.network.layer.parts(scale))
        ]

    def make_sr(self, name, lr, scale):
        """See `models.base.Model.make_sr`."""
        return upscale_image(self.stages(scale), lr, finish=to_uint8)

    def _run(self, scale, index):
        if (scale, index) not in self.runs:
            call = functools.partial(
                self.network, method="run_part", scale=scale, index=index
            )
            self.runs[scale, index] = jax.jit(call)
        run = self.runs[scale, index]
        return lambda x: run(self.weights, jax.device_put(x, self.device))


class _LeftOff(Exception):
    """A measurement was asked to leave off."""


class Validation:
    """Measures psnr_y of whole pictures now and then.

    Beside an accelerator it runs in a thread, on the CPU, where no compilation for each
    size of picture holds up the training.
    """

    def __init__(self, architecture, loader):
        """Measures nothing yet.

        Args:
            architecture: A `models.generator_settings.Architecture`.
            loader: A `dataloaders.paired.PairedLoader`.
        """
        self.is_beside = jax.default_backend() != "cpu"
        self.upscaler = Upscaler(architecture, jax.local_devices(backend="cpu")[0])
        self.loader = loader
        self.thread = self.result = self.error = None

    def begin(self, step, weights, is_to_stop):
        """Measures weights; `collect` has what came out.

        Args:
            step: That they are of.
            weights: From a name to an array, on any device.
            is_to_stop: Asked after each image; says whether to leave off.
        """
        self.upscaler.take(jax.device_get(weights))
        self.thread = threading.Thread(
            target=self._measure, args=(step, is_to_stop), daemon=True
        )
        self.thread.start()
        if not self.is_beside:
            self.thread.join()

    def is_busy(self):
        """Whether a measurement is under way."""
        return self.thread is not None and self.thread.is_alive()

    def _measure(self, step, is_to_stop):
        def ask(*_):
            if is_to_stop():
                raise _LeftOff

        try:
            values = {}
            for scale in self.loader.scales:
                (images,) = measure_scale(
                    [self.upscaler], self.loader, scale, SHAVE_SIZE, ask
                )
                values[scale] = average(images)["psnr_y"]
            self.result = step, values
        except _LeftOff:
            pass
        except BaseException as error:  # For the main thread to raise.
            self.error = error

    def collect(self, wait=False):
        """What the last measurement found, once.

        Args:
            wait: Whether to wait for one that is under way.

        Returns:
            (step, dict from a scale to psnr_y in dB); None if there is nothing new.
        """
        if self.thread is None or (self.thread.is_alive() and not wait):
            return None
        self.thread.join()
        self.thread = None
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        result, self.result = self.result, None
        return result
