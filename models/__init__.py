"""Super-resolution models: networks, losses and training steps.

To add a model, write a subclass of `models.trained.TrainedModel` in its own file and
add one line here. `models.base.Model` is the interface that scripts use.
"""

# Models without a network and without training.
BASELINES = ("bicubic",)

MODELS = {
    "4pp_eusr": "models.four_pass_eusr:FourPassEUSR",
    "bicubic": "models.bicubic:Bicubic",
    "eusr": "models.eusr:EUSR",
}

# Discriminators of 4PP-EUSR: functions of `FourPassTraining` and a Keras dtype policy.
DISCRIMINATORS = {
    "paper": "models.discriminator:Discriminator",
    "unet": "models.unet:UNetDiscriminator",
}
