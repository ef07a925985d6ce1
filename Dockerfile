# Every stage stands on one image, pinned by tag and by digest (of the multi-architecture index). The digest of a newer one:
#   docker buildx imagetools inspect python:3.11-slim-bookworm
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY exporter exporter
# As a variable, so that it binds the build backend too.
ENV PIP_CONSTRAINT=constraints.txt
RUN ["pip", "install", "--no-cache-dir", "--root-user-action=ignore", "--prefix=/install", "."]

# Built only when it is asked for: docker build --target remediator .
FROM ${PYTHON_IMAGE} AS remediator
# The actuator `ssh` needs OpenSSH's client, and that a user with a name.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 65532 odp-remediator \
 && useradd --uid 65532 --gid 65532 --create-home --home-dir /var/lib/odp-remediator odp-remediator
COPY --from=build /install /usr/local
USER 65532:65532
EXPOSE 9889
HEALTHCHECK --interval=15s --timeout=3s --start-period=5s CMD ["python3", "-I", "-c", "import http.client, sys; server = http.client.HTTPConnection('127.0.0.1', 9889, timeout=2); server.request('GET', '/-/healthy'); sys.exit(server.getresponse().status != 200)"]
ENTRYPOINT ["odp-remediator"]
CMD ["run"]

FROM ${PYTHON_IMAGE} AS exporter
COPY --from=build /install /usr/local
USER 65532:65532
EXPOSE 9888
# Another address or TLS in the configuration needs another check: docker run --health-cmd.
HEALTHCHECK --interval=15s --timeout=3s --start-period=5s CMD ["python3", "-I", "-c", "import http.client, sys; server = http.client.HTTPConnection('127.0.0.1', 9888, timeout=2); server.request('GET', '/-/healthy'); sys.exit(server.getresponse().status != 200)"]
ENTRYPOINT ["odp-exporter"]
CMD ["run"]
