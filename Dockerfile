# syntax=docker/dockerfile:1
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/ml-connector
# Dependencies first, by hash, so that a change of our code does not download them again.
COPY requirements.lock ./
RUN /opt/ml-connector/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY activities activities
COPY clients clients
COPY console console
COPY contracts contracts
COPY mapping mapping
COPY runtime runtime
COPY sandbox sandbox
COPY store store
COPY webhook_gateway webhook_gateway
COPY workflows workflows
RUN /opt/ml-connector/bin/pip install --no-deps . && /opt/ml-connector/bin/pip check

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="ml-connector" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --home-dir /var/lib/ml-connector --create-home --shell /usr/sbin/nologin connector
COPY --from=build /opt/ml-connector /opt/ml-connector
ENV PATH=/opt/ml-connector/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/ml-connector
USER 10001
# Exec form: the process itself gets SIGTERM and drains.
ENTRYPOINT ["ml-connector"]
CMD ["--help"]
