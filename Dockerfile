# Build: docker build -t authsvc .
# Packages come from the index that pip is told of: PIP_INDEX_URL names another one; a machine without
# any builds from a mounted folder of wheels with PIP_NO_INDEX=1 and PIP_FIND_LINKS=/that/folder.
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
WORKDIR /src
COPY requirements.txt ./
RUN python3 -m venv /opt/authsvc \
    && /opt/authsvc/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY authsvc authsvc
RUN /opt/authsvc/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/authsvc/bin/pip install --no-cache-dir --no-index --no-deps /dist/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="authsvc" \
      org.opencontainers.image.description="Issues, refreshes and validates end-user JWTs over gRPC" \
      org.opencontainers.image.licenses="Apache-2.0"
# The numbers matter to whoever owns the mounted key file; see docker-compose.yml.
RUN groupadd --gid 10001 authsvc \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/authsvc --shell /usr/sbin/nologin authsvc \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/authsvc
COPY --from=build /opt/authsvc /opt/authsvc
ENV PATH=/opt/authsvc/bin:$PATH \
    HOME=/var/lib/authsvc \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AUTHSVC_LISTEN=0.0.0.0:50051 \
    AUTHSVC_STATE_DIR=/var/lib/authsvc
USER 10001:10001
WORKDIR /var/lib/authsvc
VOLUME /var/lib/authsvc
EXPOSE 50051
# NOT_SERVING, no answer and a process that hangs all count as unhealthy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["python3", "-c", "\
import grpc; from grpc_health.v1 import health_pb2, health_pb2_grpc; \
health = health_pb2_grpc.HealthStub(grpc.insecure_channel('127.0.0.1:50051')); \
answer = health.Check(health_pb2.HealthCheckRequest(), timeout=4); \
raise SystemExit(answer.status != health_pb2.HealthCheckResponse.SERVING)"]
ENTRYPOINT ["authsvc"]
CMD ["serve"]
