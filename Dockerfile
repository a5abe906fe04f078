# gscodec in a container:  docker build -t gscodec .
#                          docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" gscodec gsenc scene.ply -o scene.gsc
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN pip wheel --no-cache-dir --wheel-dir /wheels /src

FROM python:3.12-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels gscodec
RUN useradd --create-home gscodec
USER gscodec
WORKDIR /data
CMD ["gsinfo", "--help"]
