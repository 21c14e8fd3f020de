"""The image-quality networks that 4PP-EUSR is trained against.

They predict how people would score a picture, as a distribution over ten scores. To
add one, write a class with the verbs of `score_predictors.base.Predictor` in a file of
its own and one line here.
"""

PREDICTORS = {"mobilenetv2": "score_predictors.mobilenetv2:MobileNetV2"}
