# `systemd.sh ROOT FILE...`: this machine's own system, started anew by systemd as the first process of namespaces of its
# own, on a copy of / that lies in memory: nothing of the machine is written. Files are put into its /srv. Ends with its
# input, and takes all of it away.
set -e
root=$1
shift
if [ "$PHASE" = inside ]; then
  cd "$root"
  mount -t proc proc proc
  # The kernel is the machine's own: no setting of it is changed, and no module loaded.
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  ln -s /dev/null etc/systemd/system/systemd-modules-load.service
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755 tmpfs run
  mount -t tmpfs -o mode=1777 tmpfs tmp
  mount -t tmpfs -o mode=755 tmpfs dev
  for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  mkdir dev/shm dev/pts run/before
  mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  hostname booted
  ip link set lo up
  ip address add 192.0.2.200/32 dev lo
  pivot_root . run/before
  cd /
  umount -l /run/before
  exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin "$(command -v systemd || echo /lib/systemd/systemd)" \
    --system --unit=multi-user.target </dev/null >/dev/null 2>&1
fi

mount -t tmpfs tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/root" "$root/cgroup"
mount -t overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" overlay "$root/root"
new=$root/root
# None of this machine's own services, and no file system but these.
rm -rf "$new"/etc/systemd/system/*.wants "$new"/lib/systemd/system/multi-user.target.wants "$new/usr/sbin/policy-rc.d"
rm -rf "$new/lib/systemd/system/timers.target.wants"
rm -f "$new/etc/fstab" "$new/etc/ld.so.preload" "$new/etc/resolv.conf" "$new/etc/nsswitch.conf"
printf 'nameserver 192.0.2.200\n' >"$new/etc/resolv.conf"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$new/etc/nsswitch.conf"
cp -R "$@" "$new/srv/"

# Below the cgroup of this process, which stays in its own: systemd takes over all that it finds in the root of its.
mount -t cgroup2 cgroup2 "$root/cgroup"
own=$root/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/namewell-$$
mkdir "$own"
PHASE=inside sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec unshare --mount --pid --net --uts --ipc --cgroup --fork \
  --kill-child --propagation private sh "$0" "$@"' "$0" "$own" "$new" </dev/null &
holder=$!
for _ in $(seq 1000); do
  first=$(cat "/proc/$holder/task/$holder/children")
  if [ -n "$first" ] && [ "$(cat "/proc/${first% }/comm")" = systemd ]; then break; fi
  sleep 0.05
done
echo "first ${first% } $$"
cat >/dev/null || true
kill -KILL "$holder"
wait "$holder" || true
for _ in $(seq 100); do
  find "$own" -depth -type d -exec rmdir {} + 2>/dev/null || true
  if [ ! -d "$own" ]; then break; fi
  sleep 0.05
done
