# The light install: scores, compares, ranks and serves on the CPU, with the bundled models inside and no network needed.
#   docker build -t shamisa .
#   docker run --rm -v "$PWD/photos:/photos:ro" shamisa score /photos
FROM python:3.12-slim AS build
COPY . /source
RUN python -m venv /opt/shamisa && /opt/shamisa/bin/pip install --no-cache-dir --quiet /source

FROM python:3.12-slim
COPY --from=build /opt/shamisa /opt/shamisa
RUN useradd --create-home shamisa
USER shamisa
ENV PATH=/opt/shamisa/bin:$PATH
ENTRYPOINT ["shamisa"]
