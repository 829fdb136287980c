/* Printed from src/cli/doctorCodes.ts by tools/doctor-codes.mjs. Do not edit. */
#ifndef NAMEWELL_DOCTOR_CODES_H
#define NAMEWELL_DOCTOR_CODES_H

#define CODES(EACH) \
    EACH(101, PROBLEM, "Restart the program: it was started before client.so stood there, or its loader refused it and says why on standard error.") \
    EACH(102, PROBLEM, "Set LD_PRELOAD to the path of client.so in the container's environment, and restart it.") \
    EACH(103, PROBLEM, "Name both in LD_PRELOAD, client.so last: LD_PRELOAD=/path/other.so:/dns_cache/client.so.") \
    EACH(104, WARNING, "Name client.so last in LD_PRELOAD: where one behind it looks names up itself, client.so leaves all to it.") \
    EACH(105, PROBLEM, "Nothing can be preloaded into a static program; link it dynamically, or let it ask a DNS server.") \
    EACH(106, PROBLEM, "A program without libc looks names up itself; build it with libc (Go: CGO_ENABLED=1, GODEBUG=netdns=cgo).") \
    EACH(107, PROBLEM, "The loader ignores LD_PRELOAD in set-uid, set-gid and capable programs; start it as its user instead.") \
    EACH(108, PROBLEM, "Use an image of the node's architecture: client.so is of that one alone.") \
    EACH(109, WARNING, "Set DNS_CACHE_CLEAR_DEEPBIND=1: libraries opened with RTLD_DEEPBIND go past every preload.") \
    EACH(110, PROBLEM, "Take DNS_CACHE_OFF out of the environment, and restart the program.") \
    EACH(111, PROBLEM, "Shorten DNS_CACHE_BYPASS: client.so is off where it has 4096 bytes or more.") \
    EACH(112, WARNING, "Restart the program to have the client.so that lies in the directory now.") \
    EACH(113, WARNING, "Restart the program to have its hits from the table: its client.so reads another layout, and asks over the socket.") \
    EACH(114, UNKNOWN, "Run the doctor as the program's user or as root, where there is a /proc.") \
    EACH(115, UNKNOWN, "Run the doctor within the program's container or chroot.") \
    EACH(116, PROBLEM, "Restart the program: its client.so is of another version than the server, which it cannot ask.") \
    EACH(117, UNKNOWN, "Name the program: --pid N (pidof, systemctl show -p MainPID UNIT); what runs in a container, run the doctor there.") \
    EACH(201, PROBLEM, "Mount the server's directory there (-v /dns_cache:/dns_cache:ro), or set DNS_CACHE_DIR.") \
    EACH(202, PROBLEM, "Mount the directory that the server writes to (its DNS_CACHE_DIR), and look whether the server has started.") \
    EACH(203, PROBLEM, "Mount it without noexec, or preload client.so from another place and set DNS_CACHE_DIR.") \
    EACH(204, PROBLEM, "Start the server of this architecture; it puts its own client.so there.") \
    EACH(205, PROBLEM, "Start the server anew; it puts client.so there, readable for all.") \
    EACH(206, PROBLEM, "Give DNS_CACHE_DIR an absolute path of at most 97 bytes.") \
    EACH(207, PROBLEM, "Restart the container: it holds a directory that was removed and made anew since.") \
    EACH(208, WARNING, "Take the write permission of others away (chmod go-w): they could put a client.so of theirs there.") \
    EACH(209, WARNING, "Make room for two tables: a new one is made beside the last, and hits go over the socket without.") \
    EACH(210, PROBLEM, "Let the server's user own the directory.") \
    EACH(211, WARNING, "Restart the server; what lies there is of another build than this.") \
    EACH(212, WARNING, "Use a directory on tmpfs or a local disk: not every process sees this file system's changes at once.") \
    EACH(213, WARNING, "Where programs see it noexec too, install client.so elsewhere (namewell install) and set the server's DNS_CACHE_LIBRARY.") \
    EACH(214, PROBLEM, "Take others' permission to write in /run away, mount the directory at /run/namewell, or set DNS_CACHE_DIR.") \
    EACH(301, PROBLEM, "Start the server, and see its log; until then libc answers.") \
    EACH(302, PROBLEM, "Restart the server, and see its log; until then libc answers.") \
    EACH(303, PROBLEM, "Allow socket(AF_UNIX) and connect() to dns.sock: without them only what lies in the table is answered.") \
    EACH(304, WARNING, "See the server's load: more connect at once than it takes.") \
    EACH(305, PROBLEM, "Restart the programs and the server of the same version.") \
    EACH(401, WARNING, "See the server's log for why: without a table each lookup goes over the socket.") \
    EACH(402, WARNING, "Use the doctor, the client.so and the server of one version: others' hits go over the socket.") \
    EACH(403, PROBLEM, "Restart the server: it makes a new table.") \
    EACH(404, PROBLEM, "Restart the server: the table is of the time before this boot, or of another machine.") \
    EACH(405, WARNING, "Run without a time namespace: its clock is not the table's.") \
    EACH(406, WARNING, "Wait a moment: the server replaces its table.") \
    EACH(407, WARNING, "Let the server ask the nameservers of /etc/resolv.conf, or set its DNS_CACHE_DENIALS=final.") \
    EACH(408, WARNING, "Raise the server's DNS_CACHE_ENTRIES.") \
    EACH(409, UNKNOWN, "Mount /proc in the container: without it nobody can tell of which boot a table is.") \
    EACH(501, WARNING, "Nothing to do where it is on purpose: denials and names without a dot are its own matter, and are left to it.") \
    EACH(502, PROBLEM, "Take the option out of /etc/resolv.conf or the environment: libc answers every name there.") \
    EACH(503, PROBLEM, "Have 'hosts: files dns' in /etc/nsswitch.conf and no 'reorder' in /etc/host.conf.") \
    EACH(504, PROBLEM, "Let the program's user read the files of /etc that say how names are looked up.") \
    EACH(505, WARNING, "Shorten /etc/hosts, if it has more than 4,096 names: libc answers every name there.") \
    EACH(506, WARNING, "Write the search list of /etc/resolv.conf in plain names: it is libc's as it stands.") \
    EACH(601, WARNING, "Nothing to do where it is on purpose: what stands in /etc/hosts is libc's.") \
    EACH(602, WARNING, "Take the suffix out of DNS_CACHE_BYPASS to have the name cached.") \
    EACH(603, WARNING, "Nothing to do: such names are of this machine or its link, and libc's.") \
    EACH(604, WARNING, "Give a host name of letters, digits, hyphens, underscores and dots: libc answers whatever else there is.") \
    EACH(605, WARNING, "Write a final dot, or see the other findings: libc answers this name.") \
    EACH(606, PROBLEM, "See the server's log and `namewell doctor` on the node: its upstreams fail for this name.") \
    EACH(701, PROBLEM, "Set DNS_CACHE_UPSTREAMS, or name nameservers in the server's /etc/resolv.conf.") \
    EACH(702, PROBLEM, "See whether the upstream runs and whether a firewall drops what is sent to it.") \
    EACH(703, WARNING, "Have the upstream, or what stands before it, pass EDNS: without it large answers cost a second query.") \
    EACH(704, WARNING, "Open TCP to the upstream: answers too large for UDP cannot be had.") \
    EACH(705, WARNING, "See the upstream's own log: it answers, but refuses or fails.") \
    EACH(706, PROBLEM, "See the upstream's own log: it refuses or fails, and no other one answers.") \
    EACH(801, WARNING, "Run as the server's user or as root, and see its DNS_CACHE_CONTROL.") \
    EACH(802, WARNING, "See the server's log and its DNS_CACHE_HTTP: the port may be another program's.") \
    EACH(803, WARNING, "Use the command of the version that the server has.")

#endif
