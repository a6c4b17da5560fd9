# syntax=docker/dockerfile:1

# Debian and not Alpine: Temporal's worker is a native library made for glibc.
FROM node:24-bookworm-slim AS base
WORKDIR /app

FROM base AS dependencies
COPY package.json package-lock.json ./
COPY patches patches
RUN npm ci

FROM dependencies AS build
COPY . .
RUN npm run -s build

# Patched already, and without what only builds and tests.
FROM dependencies AS production-dependencies
RUN npm prune --omit=dev

# User 1000 is node, by number so that a cluster can see that it is not root.
# What docker-compose.temporal.yml runs beside the product: the Stripe sandbox, operators' commands and the making of secrets.
FROM build AS tools
RUN mkdir /data && chown 1000:1000 /data
ENV DATA_DIR=/data NODE_OPTIONS=--disable-warning=ExperimentalWarning
USER 1000
CMD ["node", "dist/scripts/compose-env.js"]

FROM build AS product
RUN rm -rf dist/dev dist/.tsbuildinfo && find dist/scripts -type f ! -name 'prepare-temporal.js*' -delete

# The product: any of its services and workers, by name. `docker run … booking worker:booking` runs two in one process.
FROM base AS runtime
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 HOST=0.0.0.0 NODE_OPTIONS="--enable-source-maps --disable-warning=ExperimentalWarning"
COPY package.json ./
COPY scripts/healthcheck.js ./healthcheck.js
COPY db/migrations db/migrations
COPY --from=production-dependencies /app/node_modules node_modules
COPY --from=product /app/dist dist
USER 1000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "healthcheck.js"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["all"]
