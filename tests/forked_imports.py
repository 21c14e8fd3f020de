"""What the server of `tests.forked` imports before it forks: all that scripts need."""

from console import quiet

quiet.set_up()
# Nothing here looks for devices, which a forked process could not do again.
with quiet.descriptor_caught():
    import scipy.io  # noqa: F401

    import metrics.validation  # noqa: F401
    import models.eusr  # noqa: F401
    import training.loop  # noqa: F401
