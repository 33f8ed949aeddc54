# The server in an image: docs/serving.md says how it is built and run.

ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
# numpy makes an environment of a fifth of the size, and is as fast where the processor has AVX-512; elsewhere torch
# answers many texts faster, and in int8.
ARG FRAMEWORK=torch
# Where pip finds PyTorch; empty: where it finds all else, which for Linux may be PyTorch with CUDA.
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The compiler of albertkit.kernels stays in this stage.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/albertkit
WORKDIR /source
COPY requirements/constraints.txt requirements/
# Alone and first: it is the largest layer, and changes least.
RUN if [ "$FRAMEWORK" = torch ]; then \
      /opt/albertkit/bin/pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
        --constraint requirements/constraints.txt torch; \
    fi
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src src
RUN /opt/albertkit/bin/pip wheel --no-deps --wheel-dir dist . \
    && /opt/albertkit/bin/pip install --constraint requirements/constraints.txt "$(echo dist/*.whl)[serve]"

FROM python:${PYTHON}-slim
COPY --from=build /opt/albertkit /opt/albertkit
# Of the hub nothing is fetched unless HF_HUB_OFFLINE is 0; then it lies in /var/cache/albertkit.
ENV PATH=/opt/albertkit/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 HF_HOME=/var/cache/albertkit
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin albertkit \
    && install --directory --owner albertkit --group albertkit /var/cache/albertkit
USER 10001:10001
WORKDIR /models
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8080/ready', timeout=4)"]
ENTRYPOINT ["albertkit", "serve", "--host", "0.0.0.0", "--port", "8080"]
CMD ["albertkit/small-en"]
