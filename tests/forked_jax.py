"""What the server of `tests.forked` for JAX imports before it forks."""

import sys

from console import quiet

quiet.backend = "jax"
quiet.set_up()
# Whatever imports it fails.
sys.modules["tensorflow"] = None
# Nothing here looks for devices, which a forked process could not do again.
with quiet.descriptor_caught():
    import misc.jax_training.four_pass  # noqa: F401
    import misc.jax_training.loop  # noqa: F401
