"""Image-quality networks that 4PP-EUSR is trained with.

They predict people's scores of a picture as a distribution over ten scores. To add a
predictor, write a subclass of `score_predictors.base.Predictor` in its own file and
add a line here; CONTRIBUTING.md has an example.
"""

PREDICTORS = {"mobilenetv2": "score_predictors.mobilenetv2:MobileNetV2"}
