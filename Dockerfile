# Skewless with everything it needs: Python, Java, Spark's jars. docker-compose.yaml runs it.
FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make maven openjdk-17-jdk-headless procps \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /skewless
COPY . .
RUN make setup
ENV PATH=/skewless/.venv/bin:$PATH SKEWLESS_JARS=/skewless/.skewless/jars SKEWLESS_LOCAL_SERVICES=false
CMD ["skewless", "--help"]
