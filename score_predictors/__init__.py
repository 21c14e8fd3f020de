"""The image-quality networks that 4PP-EUSR is trained against.

They predict how people would score a picture, as a distribution over ten scores. To
add one, write a subclass of `score_predictors.base.Predictor` in a file of its own and
one line here; CONTRIBUTING.md shows one.
"""

PREDICTORS = {"mobilenetv2": "score_predictors.mobilenetv2:MobileNetV2"}
