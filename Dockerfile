# One file for testing, building and running. It needs no shell in any stage (every RUN is a program and
# its arguments), no BuildKit and nothing but `bun` in its base, so that any base with Bun and glibc will
# do: the official image, a mirror of it, or one made in a place without a network.
#
# Distroless: no shell, no package manager, and the smallest of the official images on glibc. It sets no
# user of its own; the numeric one below does. With its registry, for Podman does not guess one.
ARG BASE=docker.io/oven/bun:1.4.5-distroless

FROM ${BASE} AS dependencies
WORKDIR /build
COPY package.json bun.lock bunfig.toml ./
RUN ["bun", "install", "--frozen-lockfile", "--production", "--ignore-scripts"]

# What is in it and why: see the script.
FROM dependencies AS build
COPY tsconfig.json ./
COPY tools/bundle.ts ./tools/
COPY src ./src
RUN ["bun", "tools/bundle.ts", "--outdir=/out/app"]
# An empty directory for the volume, made without a shell; the COPY below gives it to the user.
RUN ["bun", "-e", "require('node:fs').mkdirSync('/out/volume/data', { recursive: true })"]

FROM ${BASE} AS production
# Above 10000, so that it is nobody's number on the host; a number, so that Kubernetes can see that it is
# not root (runAsNonRoot).
COPY --from=build --chown=65532:65532 /out/volume/ /
COPY --from=build /out/app /app
WORKDIR /app
USER 65532:65532
# DRAIN_MIN: what a platform needs to take an instance out of its balancers after SIGTERM.
ENV NODE_ENV=production \
    ENVIRONMENT=production \
    PORT=8000 \
    DATA_DIR=/data \
    DRAIN_MIN=5s
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 CMD ["bun", "/app/healthcheck.js"]
# Bun is PID 1 and takes the signals itself: no shell and no init in between. The worker is the same image
# with another argument, /app/worker.js; the check finds out which of the two runs.
ENTRYPOINT ["bun"]
CMD ["/app/main.js"]

# Last, for they change with every build. Empty ones fall back to the package's version and to "unknown".
ARG VERSION=""
ARG VCS_REF=""
ARG BUILD_DATE=""
# Does nothing, but is run again when an argument changes: Podman 4 takes a cached ENV and LABEL whatever the
# arguments in them, and would name every build after the first.
RUN ["bun", "--version"]
ENV SERVICE_VERSION=${VERSION} \
    SERVICE_REVISION=${VCS_REF}
LABEL org.opencontainers.image.title="Tally" \
      org.opencontainers.image.description="Exact statistics of numbers and text over HTTP" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${VCS_REF}" \
      org.opencontainers.image.created="${BUILD_DATE}"

# What `make test` runs, in the same base: docker build --target test .
FROM dependencies AS test
RUN ["bun", "install", "--frozen-lockfile", "--ignore-scripts"]
COPY . .
# Not `bun run test`: Bun wants a shell for a script of package.json, also where it would not use it.
RUN ["bun", "--no-orphans", "tools/test.ts"]

# What a build without --target gives. The tests stand before it and not further up, for Docker's classic
# builder runs every stage down to its target, needed or not.
FROM production
