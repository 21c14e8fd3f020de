# test.py in a container. Enlarges what is in the folder LR by 4, into the folder SR:
#
#     docker build -t perceptual-eusr .
#     docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" perceptual-eusr \
#         --input_path=LR --output_path=SR --scale=4
#
# With an NVIDIA GPU and its container toolkit:
#
#     docker build -t perceptual-eusr:gpu \
#         --build-arg REQUIREMENTS=requirements-gpu.txt .
#     docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/data" \
#         perceptual-eusr:gpu --use_gpu --input_path=LR --output_path=SR --scale=4
#
# Other scripts: docker run ... --entrypoint python perceptual-eusr /app/validate.py ...
#
# CI does not build it.

FROM python:3.12-slim

# requirements-gpu.txt brings CUDA as Python packages, so the base is the same.
ARG REQUIREMENTS=requirements.txt

COPY requirements*.txt /app/
RUN pip install --no-cache-dir --requirement /app/${REQUIREMENTS}

COPY . /app
RUN useradd --create-home --uid 1000 eusr && mkdir /data && chown eusr /data

# The user that `--user` names has no home: caches go where anybody may write.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/tmp/cache \
    MPLCONFIGDIR=/tmp/cache/matplotlib \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

USER eusr
WORKDIR /data
ENTRYPOINT ["python", "/app/test.py"]
CMD ["--helpshort"]
