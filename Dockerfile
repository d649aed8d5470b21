# One file for testing, building and running. It needs no shell in any stage (every RUN is a program and
# its arguments), no BuildKit and nothing but `bun` in its base, so that any base with Bun and glibc will
# do: the official image, a mirror of it, or one built without a network.
#
# Distroless: no shell, no package manager, and the smallest of the official images on glibc. It sets no
# user, so a numeric one is set below. Named with its registry, because Podman does not guess one.
ARG BASE=docker.io/oven/bun:1.4.5-distroless

FROM ${BASE} AS dependencies
WORKDIR /build
COPY package.json bun.lock bunfig.toml ./
RUN ["bun", "install", "--frozen-lockfile", "--production", "--ignore-scripts"]

# The script explains the contents of the bundle.
FROM dependencies AS build
COPY tsconfig.json ./
COPY tools/bundle.ts ./tools/
COPY src ./src
RUN ["bun", "tools/bundle.ts", "--outdir=/out/app"]
# An empty directory for the volume, made without a shell; the COPY below gives it to the user.
RUN ["bun", "-e", "require('node:fs').mkdirSync('/out/volume/data', { recursive: true })"]

FROM ${BASE} AS production
# Above 10000, so that no user of the host has it; numeric, so that Kubernetes can verify that it is not
# root (runAsNonRoot).
COPY --from=build --chown=65532:65532 /out/volume/ /
COPY --from=build /out/app /app
WORKDIR /app
USER 65532:65532
# DRAIN_MIN: the time a platform needs to remove an instance from its load balancers after SIGTERM.
ENV NODE_ENV=production \
    ENVIRONMENT=production \
    PORT=8000 \
    DATA_DIR=/data \
    DRAIN_MIN=5s
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 CMD ["bun", "/app/healthcheck.js"]
# Bun is PID 1 and handles signals itself: no shell and no init in between. The worker is the same image
# with another argument, /app/worker.js, and the health check detects which of the two runs.
ENTRYPOINT ["bun"]
CMD ["/app/main.js"]

# Last, because they change with every build. Empty ones fall back to the package's version and to "unknown".
ARG VERSION=""
ARG VCS_REF=""
ARG BUILD_DATE=""
# Does nothing, but runs again when an argument changes: Podman 4 reuses a cached ENV and LABEL regardless of
# their arguments, and would name every build after the first.
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
# Not `bun run test`: Bun requires a shell for package.json scripts, even if it does not use it.
RUN ["bun", "--no-orphans", "tools/test.ts"]

# The result of a build without --target. The tests come before it and not earlier, because Docker's classic
# builder runs every stage up to its target, needed or not.
FROM production
