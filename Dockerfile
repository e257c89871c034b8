# The image of the GitHub action, and of GitLab and Jenkins. BASE needs Python 3.11 or later and apt.
# CLIENT is an image with /usr/local/bin/docker and its buildx plugin: Debian 12 packages neither of them alone.
ARG BASE=python:3.11-slim
ARG CLIENT=docker:cli

FROM ${CLIENT} AS client

FROM ${BASE} AS wheels
COPY . /source
RUN python3 -m venv /opt/kdeploy \
 && /opt/kdeploy/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile /source \
 && /opt/kdeploy/bin/pip uninstall -y pip \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/kdeploy

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends git ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && git config --system --add safe.directory '*'
COPY --from=client /usr/local/bin/docker /usr/local/bin/docker
COPY --from=client /usr/local/libexec/docker/cli-plugins/docker-buildx /usr/local/libexec/docker/cli-plugins/docker-buildx
COPY --from=wheels /opt/kdeploy /opt/kdeploy
ENV PATH=/opt/kdeploy/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="kdeploy" \
      org.opencontainers.image.description="Deploy a commit to Kubernetes safely" \
      org.opencontainers.image.licenses="Apache-2.0"
# Runs as root: GitHub mounts the workspace, its file commands and the Docker socket as they belong to the runner's
# user, whose id differs between runners; the documentation of container actions asks for the default user.
# Exec form: Python is process 1 and gets the signals itself. -P: what lies in the workspace is no module of kdeploy's.
ENTRYPOINT ["/opt/kdeploy/bin/python", "-P", "-m", "kdeploy.cli.action"]
