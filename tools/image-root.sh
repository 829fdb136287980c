#!/bin/sh
# What Node needs to run, from the Debian image mounted at FROM, put into INTO: its program, its libraries, and of the
# packages that these are of the licences and what scanners look for. Nothing of FROM is run: it may be of another
# architecture.
#   image-root.sh FROM INTO
set -eu
from=$1
into=$2
node=/usr/local/bin/node

say_lacking() {
  echo "image-root.sh: $1: NODE_SLIM_IMAGE wants to be one of Debian with $node" >&2
  exit 1
}

needed_by() {
  readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'
}

# Debian's folders of an architecture, which its loader knows, and those that lie behind links to them.
path_of() {
  for folder in "$from"/lib/*-linux-gnu "$from"/usr/lib/*-linux-gnu "$from"/lib64 "$from"/lib; do
    [ ! -e "$folder/$1" ] || { echo "${folder#"$from"}/$1"; return; }
  done
}

# With or without /usr: packages of before and after Debian moved all into it.
add_package() {
  owner=$(dpkg-query --admindir="$from/var/lib/dpkg" --search "$1" "/usr$1" "${1#/usr}" 2>/dev/null | sed -n '1s/: .*//p')
  package=${owner%%:*}
  [ -n "$package" ] || say_lacking "no package has $1"
  mkdir -p "$into/var/lib/dpkg/status.d" "$into/usr/share/doc/$package"
  dpkg-query --admindir="$from/var/lib/dpkg" --status "$owner" >"$into/var/lib/dpkg/status.d/$package"
  cp -L "$from/usr/share/doc/$package/copyright" "$into/usr/share/doc/$package/"
}

# With all that it needs itself.
add_library() {
  [ ! -e "$into/lib/$1" ] || return 0
  found=$(path_of "$1")
  [ -n "$found" ] || say_lacking "no $1"
  install -D "$from$found" "$into/lib/$1"
  add_package "$found"
  for other in $(needed_by "$into/lib/$1"); do add_library "$other"; done
}

[ -f "$from$node" ] || say_lacking "no Node"
install -D "$from$node" "$into$node"
[ ! -f "$from/usr/local/LICENSE" ] || install -D -m 644 "$from/usr/local/LICENSE" "$into/usr/share/doc/node/LICENSE"
for library in $(needed_by "$into$node"); do add_library "$library"; done

# A loader is found by its whole path.
loader=$(readelf -l "$into$node" | sed -n 's/.*interpreter: \(.*\)\]$/\1/p')
add_library "$(basename "$loader")"
if [ ! -e "$into$loader" ]; then
  mkdir -p "$into$(dirname "$loader")"
  ln -s "../lib/$(basename "$loader")" "$into$loader"
fi

mkdir -p "$into/etc"
echo 'root:x:0:0::/:' >"$into/etc/passwd"
echo 'node:x:1000:1000::/:' >>"$into/etc/passwd"
printf 'root:x:0:\nnode:x:1000:\n' >"$into/etc/group"
echo 'hosts: files dns' >"$into/etc/nsswitch.conf"
