# The cache server, with client.so for both architectures. Both images may be others with Node 20 or newer; the first needs
# gcc and make as well.
ARG NODE_IMAGE=node:22-bookworm
ARG NODE_SLIM_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
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

FROM ${NODE_SLIM_IMAGE}
WORKDIR /namewell
ENV NODE_ENV=production
COPY --from=build /namewell/package.json ./
COPY --from=build /namewell/node_modules/ node_modules/
COPY --from=build /namewell/dist/server.js /namewell/dist/namewell.js /namewell/dist/operate.js /namewell/dist/namewell.wasm /namewell/dist/client-*.so /namewell/dist/doctor-* dist/
# A new named volume takes this owner over. The image ships no file in it: on an overlay file system a table would be
# copied at the first write, and readers that mapped it before would never see a change.
RUN mkdir /dns_cache && chown node:node /dns_cache
VOLUME /dns_cache
USER node
STOPSIGNAL SIGTERM
# A hello frame (assembly/layout.ts) is answered by the server itself, whatever its upstreams do.
HEALTHCHECK --interval=5s --timeout=2s --start-period=5s --retries=3 CMD ["node", "-e", "\
  const socket = require('net').connect('/dns_cache/dns.sock'); \
  socket.write(Buffer.from([0, 0, 0, 8, 2, 5, 0, 0])); \
  socket.once('data', (hello) => process.exit(hello[5] === 5 ? 0 : 1)); \
  socket.once('error', () => process.exit(1)); \
  socket.once('end', () => process.exit(1))"]
CMD ["node", "dist/server.js"]
