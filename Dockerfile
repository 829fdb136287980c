# The cache server's image, for amd64 and arm64: Node, the libraries that it needs, and ours. It has no shell and no package
# manager. Both base images are Debian's; the first needs gcc and make as well, the second is only read.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm
ARG NODE_SLIM_IMAGE=docker.io/library/node:24-bookworm-slim

# All that is built is the same for each platform, and is built on the builder's own: no emulation is needed.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS build
WORKDIR /namewell
COPY package.json package-lock.json ./
# The copied lock file tells the build that these packages are the ones it wants.
RUN npm ci --no-audit --no-fund && cp package-lock.json node_modules/.namewell-lock
# Where the cross compiler cannot be had (no Debian, no way to its archive), --build-arg CLIENTS=own builds client.so for
# the build's own architecture only, which is all that the containers of such a node need.
ARG CLIENTS=all
RUN [ "$CLIENTS" = own ] || { \
  case "$(dpkg --print-architecture)" in \
    amd64) packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;; \
    arm64) packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;; \
  esac; \
  apt-get update && apt-get install -y --no-install-recommends $packages && rm -rf /var/lib/apt/lists/*; }
COPY . .
RUN [ "$CLIENTS" = own ] || options=--all; npm run build -- $options && npm prune --omit=dev --no-audit --no-fund

FROM ${NODE_SLIM_IMAGE} AS node

FROM build AS image
ARG TARGETARCH
RUN --mount=type=bind,from=node,target=/node tools/image-root.sh /node /image/base
# Buildah names it only where --platform is given.
RUN architecture=$(echo "${TARGETARCH:-$(dpkg --print-architecture)}" | sed s/amd64/x64/) && mkdir -p /image/namewell/dist /image/dns_cache && \
  cp -r LICENSE package.json node_modules /image/namewell && \
  cp dist/server.js dist/namewell.js dist/operate.js dist/namewell.wasm dist/client-*.so dist/doctor-* /image/namewell/dist && \
  ln -s "doctor-$architecture" /image/namewell/dist/doctor && \
  test -x /image/namewell/dist/doctor

FROM scratch
COPY --from=image /image/base/ /
COPY --from=image /image/namewell/ /namewell/
# A new named volume takes this owner over. The image ships no file in it: on an overlay file system a table would be
# copied at the first write, and readers that mapped it before would never see a change.
COPY --from=image --chown=1000:1000 /image/dns_cache/ /dns_cache/
VOLUME /dns_cache
WORKDIR /namewell
ENV PATH=/usr/local/bin NODE_ENV=production DNS_CACHE_DIR=/dns_cache
# By number: Kubernetes' runAsNonRoot cannot tell what a name is.
USER 1000:1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=2s --start-period=5s --retries=3 CMD ["/namewell/dist/doctor", "--alive"]
CMD ["node", "dist/server.js"]
