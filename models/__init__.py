"""What is trained: networks, losses, and the steps that train them.

To add a model, write a subclass of `models.trained.TrainedModel` in a file of its own
and one line here. `models.base.Model` says what the scripts ask of any model.
"""

# Those that have nothing to train and no network.
BASELINES = ("bicubic",)

MODELS = {
    "4pp_eusr": "models.four_pass_eusr:FourPassEUSR",
    "bicubic": "models.bicubic:Bicubic",
    "eusr": "models.eusr:EUSR",
}
