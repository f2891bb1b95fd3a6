# Target `lettermill`, and what comes of no target: the command line and the workers, without TensorFlow.
# Target `train`: the same with TensorFlow, for training. What is in them: docs/containers.md.
ARG BASE=python:3.11-slim-bookworm
ARG VERSION=0.1.0

FROM ${BASE} AS build
ARG VERSION
# What only some need, with a comma between: s3 for object stores.
ARG EXTRAS=
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY lettermill lettermill
COPY jobs jobs
COPY segmentation segmentation
COPY training training
COPY worker worker
# The label must not say another version than the code. The libraries' own tests are a tenth of their size.
RUN grep -qx "version = \"${VERSION}\"" pyproject.toml \
    && python3 -m venv --without-pip /opt/lettermill \
    && pip --python /opt/lettermill/bin/python install --no-cache-dir --quiet --constraint constraints.txt \
        ".${EXTRAS:+[$EXTRAS]}" \
    && find /opt/lettermill -type d -name tests -prune -exec rm -r {} +

FROM ${BASE} AS runtime
ARG VERSION
LABEL org.opencontainers.image.title="Lettermill" \
      org.opencontainers.image.description="Batch OCR for hand-printed letters" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"
# A fixed uid, so that an operator knows whom the result folder must belong to; any other works too.
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lettermill
ENV PATH=/opt/lettermill/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    LETTERMILL_SCANS=/scans \
    LETTERMILL_RESULTS=/results \
    LETTERMILL_HEALTH=/tmp/lettermill-health.json
# As numbers: Kubernetes' runAsNonRoot cannot look up names.
USER 10001:10001
ENTRYPOINT ["lettermill"]
CMD ["worker"]

FROM runtime AS lettermill
COPY --from=build /opt/lettermill /opt/lettermill

FROM build AS build-train
RUN pip --python /opt/lettermill/bin/python install --no-cache-dir --quiet --constraint constraints.txt '.[train]'

FROM runtime AS train
COPY --from=build-train /opt/lettermill /opt/lettermill

FROM lettermill
