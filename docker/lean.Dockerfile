# The service without PaddleHub and Paddle: OpenVINO runs the same models. Smaller, faster to start, and safe on a
# read-only root file system: it writes only to /tmp. Build it from the root of the repository:
#
#   docker build -t ppocr-serving-lean -f docker/lean.Dockerfile .
#   docker run --rm -p 9000:9000 --read-only --tmpfs /tmp ppocr-serving-lean
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
# binutils provides `strip` and `ld`.
RUN apt-get update && apt-get install -y --no-install-recommends binutils
# Optional: a faster package index.
ARG PIP_INDEX_URL
ENV PATH=/opt/ppocr/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONHASHSEED=0
RUN python3 -m venv /opt/ppocr
WORKDIR /PaddleOCR
# Packages take longest and change least, so their layer does not depend on the sources.
COPY requirements/lean.txt requirements/
RUN python3 -m pip install --require-hashes --no-deps -r requirements/lean.txt
COPY . .
ARG PROFILE
RUN PPOCR_PROFILE=${PROFILE} bash scripts/setup.sh --system --lean
RUN PPOCR_PROFILE=${PROFILE} python3 scripts/compile_models.py --convert
RUN python3 docker/replace_libraries.py lean && python3 docker/prune.py lean && \
    sh docker/compile.sh /compiled ppocr_serving.__main__ ppocr_serving.cli.serve ppocr_serving.server.run \
        ppocr_serving.reading.ahead ppocr_serving.reading.warmup ppocr_serving.web.exposition \
        ppocr_serving.web.prediction ppocr_serving.web.v1.reading ppocr_serving.web.adapters.ocr \
        ppocr_serving.vision.pdf_process ppocr_serving.engines.openvino openvino PIL.PpmImagePlugin && \
    python3 docker/sbom.py lean requirements/lean.txt >sbom.spdx.json && \
    echo /opt/ppocr/bin/python3 >.image

FROM ${BASE_IMAGE}
ARG PROFILE
LABEL org.opencontainers.image.title="ppocr-serving-lean" \
      org.opencontainers.image.description="Optical character recognition with PaddleOCR's models, run by OpenVINO and served on port 9000" \
      org.opencontainers.image.documentation="/PaddleOCR/README.md" \
      org.opencontainers.image.base.name="python:3.11-slim-bookworm"
# No RUN from here on: it would leave the mount points of the build behind.
COPY --from=build /compiled /
COPY --from=build /opt/ppocr /opt/ppocr
# start.sh reads the command to run from .image, so that it works here as in the other images.
COPY --from=build /PaddleOCR/LICENSE /PaddleOCR/NOTICE /PaddleOCR/README.md /PaddleOCR/start.sh /PaddleOCR/.image /PaddleOCR/sbom.spdx.json \
    /PaddleOCR/docker/healthcheck.py /PaddleOCR/
COPY --from=build /PaddleOCR/scripts/compile_models.py /PaddleOCR/scripts/
# Caches for input shapes that may never recur would take most of the memory, and a second concurrent picture would only
# wait for the CPUs.
ENV ONEDNN_PRIMITIVE_CACHE_CAPACITY=50 \
    PATH=/opt/ppocr/bin:$PATH \
    PPOCR_KEPT_SHAPES=4 \
    PPOCR_MAX_CONCURRENCY=1 \
    PPOCR_PROFILE=${PROFILE} \
    PPOCR_REC_LANES=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /PaddleOCR
# Numeric, so that `runAsNonRoot` can verify it.
USER 10001
EXPOSE 9000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python3", "-I", "/PaddleOCR/healthcheck.py"]
CMD ["python3", "-m", "ppocr_serving"]
