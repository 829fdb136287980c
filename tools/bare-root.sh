#!/usr/bin/env bash
# `npm test` on a machine that has Node, a C compiler and little more: in a root that debootstrap makes, in memory and in
# namespaces of its own, so that nothing of it is left, however it ends. Tests whose tools are missing there skip.
set -euo pipefail
cd "$(dirname "$0")/.."

PACKAGES=gcc,make,libc6-dev,iproute2,python3,perl,curl,strace
ROOT=/mnt # hidden by it, in these namespaces only
NAMESPACES=(--mount --pid --fork --kill-child --propagation private)

refuse() {
  echo "No bare root: $1" >&2
  if [ "${CI-}" = true ]; then exit 1; fi
  exit 0
}

if [ "${1-}" != inside ]; then
  command -v debootstrap >/dev/null || refuse "debootstrap is missing: apt-get install debootstrap"
  [ "$(id -u)" = 0 ] || refuse "only root can make one"
  unshare "${NAMESPACES[@]}" true || refuse "no private namespaces here"
  exec unshare "${NAMESPACES[@]}" "$0" inside
fi

mount -t tmpfs tmpfs "$ROOT"
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
archive=('Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main')
mirror=$(apt-get indextargets --format '$(REPO_URI)' "${archive[@]}" | sed -n 1p)
echo "A root of Debian $suite with $PACKAGES"
log=$(debootstrap --variant=minbase --include="$PACKAGES" "$suite" "$ROOT" "$mirror" 2>&1) || { echo "$log" >&2; exit 1; }

npm=$(command -v npm)
node=("$(command -v node)" "$npm" "$(realpath "$npm" | xargs dirname | xargs dirname)")
tar -C / -c "${node[@]#/}" | tar -x -C "$ROOT"
# It reaches the npm registry as this machine does.
settings=(/etc/resolv.conf /etc/hosts "$(npm config get userconfig)" "$(npm config get globalconfig)")
for file in "${settings[@]}" "$(npm config get cafile)" "${NODE_EXTRA_CA_CERTS-}"; do
  if [ -f "$file" ]; then install -D "$file" "$ROOT$file"; fi
done
mkdir "$ROOT/checkout"
tar -c --exclude=./.git --exclude=./node_modules --exclude=./dist --exclude=./build . | tar -x -C "$ROOT/checkout"

mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount --rbind /sys "$ROOT/sys"
mount -t tmpfs tmpfs "$ROOT/tmp"
# Unlike a chroot, it leaves no way to this machine's files.
mkdir "$ROOT/before"
pivot_root "$ROOT" "$ROOT/before"
umount -l /before
cd /checkout
env -u CI npm test
