# One image for the command line and the workers; without TensorFlow.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY jobs jobs
COPY segmentation segmentation
COPY training training
COPY worker worker
RUN python3 -m venv /opt/lettermill \
    && /opt/lettermill/bin/pip install --no-cache-dir --quiet --constraint constraints.txt .

FROM ${BASE}
# A fixed uid, so that an operator knows whom the result folder must belong to.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin lettermill
COPY --from=build /opt/lettermill /opt/lettermill
ENV PATH=/opt/lettermill/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LETTERMILL_SCANS=/scans \
    LETTERMILL_RESULTS=/results
USER lettermill
ENTRYPOINT ["lettermill"]
CMD ["worker"]
