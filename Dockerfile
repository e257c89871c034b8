# The image of the GitHub action, and of GitLab and Jenkins.
# BASE: Debian, or made from it, with Python 3.11 or later. CLIENT: an image with the docker command and its buildx
# plugin where Docker's own has them. Both may be a registry's mirror or, in the tests, images made without any registry.
ARG BASE=python:3.11-slim
ARG CLIENT=docker:cli

FROM ${CLIENT} AS client

FROM ${BASE} AS kdeploy
# Debian's own Python comes without ensurepip, which a virtual environment begins with; python:slim has it.
RUN python3 -c 'import ensurepip' 2>/dev/null \
 || { apt-get update && apt-get install -y --no-install-recommends python3-venv; }
COPY . /source
RUN python3 -m venv /opt/kdeploy \
 && /opt/kdeploy/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile /source \
 && /opt/kdeploy/bin/pip uninstall -y setuptools pip
# Of the Kubernetes client only credentials and transport are used. Its asyncio twin and its typed models and APIs, nine
# tenths of all files here, are imported by nothing but their own names: the packages load them lazily.
RUN cd /opt/kdeploy/lib/python3.*/site-packages/kubernetes \
 && rm -rf aio \
 && find client/models client/api -name '*.py' ! -name __init__.py -delete
# Compiled, since the container starts anew for each step; unchecked, since no source changes here. Then it must start.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/kdeploy/lib \
 && cd / && /opt/kdeploy/bin/python -I -B -W error -c 'import kubernetes.client.rest, kubernetes.config'

FROM ${BASE}
# git for the commit's name and its history. Perl, larger than git, is for its commands that send mail or speak with
# Subversion: git's record is told that it can do without, so that apt still works in an image made from this one.
# Its servers, its mailer and a second copy of itself go too: half of what is left. Fetching over https works.
# Python's own library is compiled where the base has it without (python:slim), and pip goes: nothing is installed here.
RUN apt-get update \
 && apt-get install -y --no-install-recommends git ca-certificates \
 && sed -i '/^Package: git$/,/^$/ s/ perl, liberror-perl,//' /var/lib/dpkg/status \
 && apt-get purge -y --auto-remove perl liberror-perl \
 && apt-get check \
 && cd /usr/lib/git-core && ln -f /usr/bin/git git && rm -f /usr/bin/scalar /usr/bin/git-shell scalar git-shell \
      git-daemon git-http-backend git-http-fetch git-http-push git-imap-send \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/apt /var/log/*.log \
 && rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/ensurepip \
 && rm -rf /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/site-packages/setuptools* \
 && python3 -m compileall -q -j 0 -x '/(site|dist)-packages/|/(idlelib|lib2to3|test|tkinter|turtledemo)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && git config --system --add safe.directory '*'
COPY --from=client /usr/local/bin/docker /usr/local/bin/docker
COPY --from=client /usr/local/libexec/docker/cli-plugins/docker-buildx /usr/local/libexec/docker/cli-plugins/docker-buildx
COPY --from=kdeploy /opt/kdeploy /opt/kdeploy
# PATH: for GitLab and Jenkins, which run a shell here. SAFEPATH: the working directory is somebody's checkout, and a
# json.py in it must not be imported. No bytecode is written: all that could be is there.
ENV PATH=/opt/kdeploy/bin:$PATH PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A release says what it is; last, so that they change no layer.
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kdeploy" \
      org.opencontainers.image.description="Deploy a commit to Kubernetes safely" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
# Runs as root: GitHub mounts the workspace, its file commands and the Docker socket as they belong to the runner's
# user, whose id differs between runners; the documentation of container actions asks for the default user.
# Exec form: Python is process 1 and gets the signals itself. -I: a job's PYTHONPATH and its like decide nothing here.
ENTRYPOINT ["/opt/kdeploy/bin/python", "-I", "-B", "-u", "-m", "kdeploy.cli.action"]
