# docker build -t kd . && docker run -v $PWD:/photos kd deblur /photos/a.jpg -o /photos/b.png
# For an NVIDIA card: see docs/settings.md.
ARG BASE=python:3.12-slim
FROM ${BASE}

# Where PyTorch comes from: for processors alone it is a tenth of the size.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# CUDA's images have no Python.
RUN command -v python3 || (apt-get update && \
    apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*)

COPY pyproject.toml README.md LICENSE LICENSE-WEIGHTS weights.toml /src/
COPY kdcli /src/kdcli
RUN python3 -m venv /opt/kd && \
    /opt/kd/bin/pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" /src && rm -r /src

# A user by number needs no entry anywhere, and any other (--user) can take its place.
RUN mkdir -m 1777 /home/kd
ENV HOME=/home/kd USER=kd PATH=/opt/kd/bin:$PATH
USER 1000:1000
WORKDIR /photos
ENTRYPOINT ["kd"]
