# The command line, with pinned versions.
#
#   docker build -t bncli .
#   docker run --rm -v "$PWD:/work" bncli                      the demo: bncli sweep, with its page in ./studies
#   docker run --rm -v "$PWD:/work" bncli compare -d data.csv  anything else
FROM python:3.11-slim

COPY pyproject.toml constraints.txt README.md LICENSE /src/
COPY bncli /src/bncli
COPY completions /src/completions
RUN pip install --no-cache-dir --constraint /src/constraints.txt "/src[tensorboard]" && rm -r /src

WORKDIR /work
ENTRYPOINT ["bncli"]
CMD ["sweep"]
