# The service without PaddleHub and Paddle: OpenVINO reads the same models. Smaller, awake sooner, and read-only-safe:
# nothing outside /tmp is written. Built from the root of the repository:
#
#   docker build -t ppocr-serving-lean -f docker/lean.Dockerfile .
#   docker run --rm -p 9000:9000 --read-only --tmpfs /tmp ppocr-serving-lean
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
# binutils has `strip` and `ld`.
RUN apt-get update && apt-get install -y --no-install-recommends binutils
# Optional: a package index nearer than the usual one.
ARG PIP_INDEX_URL
ENV PATH=/opt/ppocr/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONHASHSEED=0
RUN python3 -m venv /opt/ppocr
WORKDIR /PaddleOCR
# The packages take the longest and change the least, so they are a layer that does not depend on the sources.
COPY requirements/lean.txt requirements/
RUN python3 -m pip install --require-hashes --no-deps -r requirements/lean.txt
COPY . .
ARG PROFILE=ppocr-v4-mobile
RUN PPOCR_PROFILE=${PROFILE} bash scripts/setup.sh --system --lean
RUN PPOCR_PROFILE=${PROFILE} python3 scripts/compile_models.py --convert
RUN python3 docker/replace_libraries.py lean && python3 docker/prune.py lean && \
    sh docker/compile.sh /compiled ppocr_serving.__main__ ppocr_serving.server ppocr_serving.engines.openvino openvino && \
    echo /opt/ppocr/bin/python3 >.image

FROM ${BASE_IMAGE}
ARG PROFILE=ppocr-v4-mobile
LABEL org.opencontainers.image.title="ppocr-serving-lean" \
      org.opencontainers.image.description="Optical character recognition with PaddleOCR's models, run by OpenVINO and served on port 9000" \
      org.opencontainers.image.documentation="/PaddleOCR/README.md" \
      org.opencontainers.image.base.name="python:3.11-slim-bookworm"
# No RUN from here on: it would leave the mount points of the build behind.
COPY --from=build /compiled /
COPY --from=build /opt/ppocr /opt/ppocr
# start.sh reads from .image what to run, so that the command of the other images works here, too.
COPY --from=build /PaddleOCR/LICENSE /PaddleOCR/NOTICE /PaddleOCR/README.md /PaddleOCR/start.sh /PaddleOCR/.image \
    /PaddleOCR/docker/healthcheck.py /PaddleOCR/
COPY --from=build /PaddleOCR/scripts/fetch_models.py /PaddleOCR/scripts/compile_models.py /PaddleOCR/scripts/
# What is prepared for shapes of input that may not come again is what most of the memory would go to, and a second picture
# at the same time would wait for the CPUs anyway.
ENV ONEDNN_PRIMITIVE_CACHE_CAPACITY=500 \
    PATH=/opt/ppocr/bin:$PATH \
    PPOCR_KEPT_SHAPES=0 \
    PPOCR_MAX_CONCURRENCY=1 \
    PPOCR_PROFILE=${PROFILE} \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /PaddleOCR
# A number, so that `runAsNonRoot` can tell that it is not root.
USER 10001
EXPOSE 9000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python3", "-I", "/PaddleOCR/healthcheck.py"]
CMD ["python3", "-m", "ppocr_serving"]
