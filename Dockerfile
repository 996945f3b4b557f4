# The service with its models: it downloads nothing at run time, and runs as any user.
#
#   docker build -t ppocr-serving .
#   docker run --rm -p 9000:9000 ppocr-serving
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
# binutils has `strip` and `ld`; libgomp1 is the one system library that paddle needs.
RUN apt-get update && apt-get install -y --no-install-recommends binutils libgomp1
# Optional: a faster package index.
ARG PIP_INDEX_URL
ENV HUB_HOME=/opt/ppocr/share/paddlehub \
    PATH=/opt/ppocr/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONHASHSEED=0
RUN python3 -m venv /opt/ppocr
WORKDIR /PaddleOCR
# Packages take longest and change least, so their layer does not depend on the sources.
COPY requirements.txt ./
RUN python3 -m pip install --require-hashes --no-deps -r requirements.txt
COPY . .
# Without a profile, the defaults of both engines are inside; PPOCR_ENGINE=paddle then selects the second.
ARG PROFILE
RUN export PPOCR_PROFILE=${PROFILE} && bash scripts/setup.sh --system && \
    PPOCR_ENGINE=paddle python3 -m ppocr_serving models fetch && \
    python3 scripts/compile_models.py --convert onnx
RUN python3 docker/replace_libraries.py hub && python3 docker/prune.py hub && sh docker/seal.sh && \
    sh docker/compile.sh /compiled paddlehub.commands ppocr_serving.hub.serving ppocr_serving.server.run \
        ppocr_serving.reading.warmup ppocr_serving.web.exposition ppocr_serving.web.prediction \
        ppocr_serving.web.v1.reading ppocr_serving.web.adapters.ocr ppocr_serving.vision.pdf_process \
        ppocr_serving.engines.openvino openvino paddle PIL.PpmImagePlugin && \
    cp -L --parents /usr/lib/*-linux-gnu/libgomp.so.1 /compiled && \
    python3 docker/sbom.py hub requirements.txt >sbom.spdx.json

FROM ${BASE_IMAGE}
ARG PROFILE
LABEL org.opencontainers.image.title="ppocr-serving" \
      org.opencontainers.image.description="Optical character recognition with PaddleOCR's models, served by PaddleHub on port 9000" \
      org.opencontainers.image.documentation="/PaddleOCR/README.md" \
      org.opencontainers.image.base.name="python:3.11-slim-bookworm"
# No RUN from here on: it would leave the mount points of the build behind.
COPY --from=build /compiled /
COPY --from=build /opt/ppocr /opt/ppocr
COPY --from=build /PaddleOCR/LICENSE /PaddleOCR/NOTICE /PaddleOCR/README.md /PaddleOCR/start.sh /PaddleOCR/.image /PaddleOCR/sbom.spdx.json /PaddleOCR/docker/healthcheck.py /PaddleOCR/
ENV HUB_HOME=/opt/ppocr/share/paddlehub \
    PATH=/opt/ppocr/bin:$PATH \
    PPOCR_PROFILE=${PROFILE} \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /PaddleOCR
# Numeric, so that `runAsNonRoot` can verify it.
USER 10001
EXPOSE 9000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python3", "-I", "/PaddleOCR/healthcheck.py"]
CMD ["sh", "/PaddleOCR/start.sh"]
