# docker build -t llm-assistant .
# docker run -p 8501:8501 -e OPENAI_API_KEY=… llm-assistant      (without a key it answers from the shipped model)
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential cmake && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /venv
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
ARG LLAMA_CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON"
COPY requirements-openai.txt requirements.txt ./
RUN /venv/bin/pip install --no-cache-dir --no-deps --retries 1 --index-url "$TORCH_INDEX_URL" "$(grep '^torch==' requirements.txt)" \
    || echo "the CPU index cannot be reached: the plain pin follows"
RUN CMAKE_ARGS="$LLAMA_CMAKE_ARGS" /venv/bin/pip install --no-cache-dir -r requirements.txt

FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 app
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
RUN install -d -o app -g app -m 700 data
ENV HOST=0.0.0.0 OMP_WAIT_POLICY=passive PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER app
VOLUME /app/data
EXPOSE 8501
HEALTHCHECK CMD python -c "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/_stcore/health' % os.environ.get('PORT', 8501), timeout=3)"
CMD ["python", "cli.py", "serve"]
