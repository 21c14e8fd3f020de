"""Training steps under JAX: gradients, Adam and the average in one compiled function.

As in `train.py`: only the weights that a scale uses move, a step whose losses or
gradients are not finite moves nothing, and the average follows all weights.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from training.schedule import Schedule

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def start_adam(weights):
    """The moments of Adam before the first step: count, momentum, velocity."""
    return {
        "count": jnp.zeros((), jnp.int32),
        "momentum": {name: jnp.zeros_like(w) for name, w in weights.items()},
        "velocity": {name: jnp.zeros_like(w) for name, w in weights.items()},
    }


def start_state(model, options):
    """What a new run begins with.

    Args:
        model: See `Stepper`.
        options: `training.options.BasicOptions`.

    Returns:
        dict: Nested, of arrays: `generator` and each other network by its name,
        `<network>_optimizer`, `ema` where an average is kept, and `first_bad_step`.
    """
    state = {"first_bad_step": jnp.full((), -1, jnp.int32)}
    for root, network in model.networks.items():
        state[root] = network.initial()
        trained = {name: state[root][name] for name in network.trained()}
        state[f"{root}_optimizer"] = start_adam(trained)
    if options.ema_decay:
        state["ema"] = jax.tree.map(jnp.copy, state["generator"])
    return state


class Stepper:
    """Takes the steps of a model, on all local devices.

    Attributes:
        mesh: The devices; each takes a share of the batch, and all hold the state.
    """

    def __init__(self, model, options, steps=1):
        """Compiles nothing yet.

        Args:
            model: Has `networks`, from a root's name to a `Network`, `rates`, from
                the same to the learning rate at step 0, `training`, a
                `models.generator_settings.Training`, and `differentiate`.
            options: `training.options.BasicOptions`.
            steps: How many are taken at a call.
        """
        self.model, self.options, self.steps = model, options, steps
        training = model.training
        self.schedules = {
            root: Schedule(
                rate,
                training.learning_rate_decay,
                training.learning_rate_decay_steps,
                training.learning_rate_schedule,
                options.learning_rate_warmup_steps,
            )
            for root, rate in model.rates.items()
        }
        self.mesh = Mesh(np.array(jax.local_devices()), ("batch",))

    def place(self, state):
        """Copies a state to the devices."""
        return jax.device_put(state, NamedSharding(self.mesh, PartitionSpec()))

    def place_batch(self, images):
        """Copies uint8 (steps, N, H, W, 3) to the devices, each its share of N."""
        spec = PartitionSpec(None, "batch")
        return jax.device_put(images, NamedSharding(self.mesh, spec))

    def lower(self, scale, state, lr, hr):
        """Traces the steps of one scale; `.compile()` makes them a function.

        Args:
            scale: Upscaling factor, a Python int.
            state: As `start_state` makes it; the compiled function takes it over.
            lr: uint8 (steps, N, P, P, 3).
            hr: uint8 (steps, N, P * scale, P * scale, 3).

        Returns:
            jax.stages.Lowered: Compiled, it maps state, lr, hr, the first step and,
            float32, the share of the learning rate's fall (negative where that follows
            the step) to the next state and to the values of the last step.
        """
        take = functools.partial(self._take_steps, scale)
        step, share = np.int32(0), np.float32(0)
        return jax.jit(take, donate_argnums=0).lower(state, lr, hr, step, share)

    def _take_steps(self, scale, state, lr, hr, first, share):
        if self.steps == 1:
            return self._take_step(scale, state, lr[0], hr[0], first, share)

        def take(state, batch):
            return self._take_step(scale, state, *batch, share)

        numbers = first + jnp.arange(self.steps, dtype=jnp.int32)
        state, values = jax.lax.scan(take, state, (lr, hr, numbers))
        return state, {name: value[-1] for name, value in values.items()}

    def _take_step(self, scale, state, lr, hr, step, share):
        lr, hr = lr.astype(jnp.float32), hr.astype(jnp.float32)
        values, gradients = self.model.differentiate(scale, state, lr, hr, step)
        norms = {root: optax.global_norm(g) for root, g in gradients.items()}
        checked = jnp.stack([*values.values(), *norms.values()])
        is_finite = jnp.isfinite(checked).all()
        after = dict(state)
        for root, gradient in gradients.items():
            rate = self._rate(root, step, share)
            moved = self._move(
                state[root], state[f"{root}_optimizer"], gradient, norms[root], rate
            )
            after[root], after[f"{root}_optimizer"] = moved
        if "ema" in state:
            # In float32 the complement of the decay is not 1 minus it.
            rate = jnp.float32(1.0 - self.options.ema_decay)
            after["ema"] = jax.tree.map(
                lambda average, weight: average + rate * (weight - average),
                state["ema"],
                after["generator"],
            )
        after = jax.tree.map(lambda a, b: jnp.where(is_finite, a, b), after, state)
        is_first = ~is_finite & (state["first_bad_step"] < 0)
        after["first_bad_step"] = jnp.where(is_first, step, state["first_bad_step"])
        values["gradient_norm"] = norms.pop("generator")
        values |= {f"{root}/gradient_norm": norm for root, norm in norms.items()}
        values["learning_rate"] = self._rate("generator", step, share)
        return after, values

    def _rate(self, root, step, share):
        schedule = self.schedules[root]
        by_step = schedule.at(step)
        if schedule.kind != "cosine":
            return by_step
        return jnp.where(share < 0, by_step, schedule.at(step, share))

    def _move(self, weights, moments, gradients, norm, rate):
        """Moves the weights that have a gradient by Adam; returns what comes after."""
        most = self.options.gradient_clip_norm
        if most:
            factor = most / jnp.maximum(norm, most)
            gradients = jax.tree.map(lambda g: g * factor, gradients)
        adam = optax.ScaleByAdamState(
            moments["count"],
            *(
                {name: moments[kind][name] for name in gradients}
                for kind in ("momentum", "velocity")
            ),
        )
        # TensorFlow adds epsilon to a velocity that is not yet corrected for its start.
        correction = jnp.sqrt(1.0 - BETA2 ** (moments["count"] + 1.0))
        rule = optax.scale_by_adam(BETA1, BETA2, EPSILON / correction)
        updates, adam = rule.update(gradients, adam)
        moved = {name: weights[name] - rate * updates[name] for name in updates}
        after = {
            "count": adam.count,
            "momentum": moments["momentum"] | adam.mu,
            "velocity": moments["velocity"] | adam.nu,
        }
        return weights | moved, after


def count_work(lowered):
    """Floating-point operations of a step, as XLA counts them; None if it does not.

    It counts the body of a loop once, so this is one step of however many.
    """
    found = lowered.cost_analysis()
    return (found or {}).get("flops")
