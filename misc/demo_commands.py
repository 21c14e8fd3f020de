"""The commands of the demo and its tour.

An indented line continues the line above. Names in braces are replaced by values.
"""

SAMPLE = """
misc/sample_images.py --output_path={folder}
misc/downscale_generator.py --input_path={folder}/train/HR
    --output_path={folder}/train/LR --scales={scales}
misc/downscale_generator.py --input_path={folder}/validate/HR
    --output_path={folder}/validate/LR --scales={scales}
"""
ENLARGE = """
test.py --input_path={folder}/validate/LR/x4 --scale=4
    --output_path={folder}/SR/eusr --overwrite
test.py --model=4pp_eusr --input_path={folder}/validate/LR/x4 --scale=4
    --output_path={folder}/SR/4pp_eusr --overwrite
"""
# OpenCV downscales without antialiasing; the weights were not trained on such images.
FINE_TUNE = """
misc/downscale_generator_cv.py --input_path={folder}/train/HR
    --output_path={folder}/train/LR_cv/x4 --scale=4
misc/downscale_generator_cv.py --input_path={folder}/validate/HR
    --output_path={folder}/validate/LR_cv/x4 --scale=4
validate.py --data_input_path={folder}/validate/LR_cv
    --data_truth_path={folder}/validate/HR --scales=4 --report_path={folder}/before.json
train.py --data_input_path={folder}/train/LR_cv --data_truth_path={folder}/train/HR
    --cache_path={folder}/run/cache --train_path={folder}/run
    --restore_path=pretrained/eusr --restore_target=generator --scales=4
    --max_steps={steps} --log_freq=50 --input_patch_size=24 --batch_size=8
    --eusr_learning_rate=2e-4 --eusr_learning_rate_schedule=cosine
    --eusr_learning_rate_decay_steps={steps}
validate.py --data_input_path={folder}/validate/LR_cv
    --data_truth_path={folder}/validate/HR --scales=4
    --restore_path={folder}/run --report_path={folder}/after.json
freeze.py --restore_path={folder}/run --scales=4 --output_path={folder}/model.pb
test.py --input_path={folder}/validate/LR_cv/x4 --output_path={folder}/SR_cv/shipped
    --scale=4 --overwrite
test.py --model_name={folder}/model.pb --input_path={folder}/validate/LR_cv/x4
    --output_path={folder}/SR_cv/tuned --scale=4 --overwrite
"""
TOUR_EUSR = """
train.py --data_input_path={folder}/train/LR --data_truth_path={folder}/train/HR
    --cache_path={tour}/cache --train_path={tour}/eusr --batch_size=8
    --input_patch_size=16 --max_steps={eusr_steps} --log_freq=500
    --eusr_conv_features=16 --eusr_shared_blocks=4 --eusr_learning_rate=2e-3
    --eusr_learning_rate_schedule=cosine --eusr_learning_rate_decay_steps={eusr_steps}
"""
TOUR_PREDICTOR = """
misc/sample_scores.py --input_path={folder}/train/HR --output_path={tour}/{kind}
    --seed={seed}
score_predictors/train.py --dataloader=tid2013 --mobilenetv2_alpha=0.35
    --mobilenetv2_weights=none --mobilenetv2_dropout=0 --input_patch_size=64
    --batch_size=16 --learning_rate=5e-4 --learning_rate_schedule=cosine
    --tid2013_image_path={tour}/{kind}/distorted_images
    --tid2013_validate_range=0,25 --tid2013_train_range=25,0 --epochs={epochs}
    --seed={seed} --train_path={tour} --weight_filename={kind}.h5
score_predictors/freeze.py --restore_path={tour}/{kind}.h5
    --output_path={tour}/{kind}.pb
"""
TOUR_FOUR_PASS = """
train.py --model=4pp_eusr --data_input_path={folder}/train/LR
    --data_truth_path={folder}/train/HR --cache_path={tour}/cache
    --train_path={tour}/4pp_eusr --restore_path={tour}/eusr --restore_target=generator
    --input_patch_size=24 --max_steps={steps} --log_freq=100
    --eusr_conv_features=16 --eusr_shared_blocks=4 --ema_decay=0.99
    --eusr_learning_rate=5e-5 --eusr_learning_rate_discriminator=1e-4
    --eusr_learning_rate_schedule=cosine --eusr_learning_rate_decay_steps={steps}
    --eusr_aesthetic_nima_path={tour}/aesthetic.pb
    --eusr_subjective_nima_path={tour}/subjective.pb
"""
TOUR_MEASURE = """
validate.py --restore_path={tour}/{model} --data_input_path={folder}/validate/LR
    --data_truth_path={folder}/validate/HR --scales=4
    --aesthetic_model={tour}/aesthetic.pb --subjective_model={tour}/subjective.pb
    --report_path={tour}/{model}.json --save_path={tour}/SR/{model}
"""
