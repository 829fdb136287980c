/* The published table: may it be read here, does somebody write it, and is there room in it? */
#include "doctor.h"
#include <errno.h>
#include <string.h>

#define FULL_PERCENT 95

static uint32_t read_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t read_u64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static bool is_of_layout(const uint8_t *header) {
    return read_u32(header + NW_HEADER_LAYOUT_VERSION) == NW_LAYOUT_VERSION &&
           read_u32(header + NW_HEADER_HEADER_BYTES) == NW_HEADER_BYTES &&
           read_u32(header + NW_HEADER_SET_BYTES) == NW_SET_BYTES &&
           read_u32(header + NW_HEADER_SLOT_BYTES) == NW_SLOT_BYTES && read_u32(header + NW_HEADER_WAYS) == NW_WAYS;
}

/* As client.so compares it (map.c), which does not say why it refuses a table. */
static bool is_this_boot(const uint8_t *header, bool *is_known) {
    char text[64];
    long length = file_read("/proc/sys/kernel/random/boot_id", text, sizeof text);
    *is_known = length >= 36;
    unsigned digits = 0;
    for (long i = 0; i < length && digits < 2 * NW_BOOT_ID_BYTES; i++) {
        unsigned byte = header[NW_HEADER_BOOT_ID + digits / 2], half = digits % 2 ? byte & 15 : byte >> 4;
        if (text[i] == '-')
            continue;
        if (text[i] != "0123456789abcdef"[half])
            return false;
        digits++;
    }
    return *is_known;
}

static void check_room(const struct map *map) {
    unsigned long used = 0, slots = (unsigned long)map->set_count * NW_WAYS;
    for (uint32_t set = 0; set < map->set_count; set++)
        for (unsigned way = 0; way < NW_WAYS; way++)
            used += map_u64(map->base + NW_HEADER_BYTES + (size_t)set * NW_SET_BYTES + way * NW_TAG_BYTES) != 0;
    if (slots == 0)
        finding(401, "the server publishes no entries, only whom it asks");
    else if (used * 100 >= slots * FULL_PERCENT)
        finding(408, "%u of the table's %u entries are in use: others give way to what is new", used, slots);
    else
        fine("%u of the table's %u entries are in use", used, slots);
}

static void check_beat(const uint8_t *header, bool is_server_alive) {
    uint64_t now = tick_ms(), beat = read_u64(header + NW_HEADER_HEARTBEAT_MS);
    unsigned long age = now > beat ? now - beat : 0;
    if (age < NW_HEARTBEAT_OLD_MS)
        fine("the server's heartbeat is %u ms old", age);
    else if (is_server_alive)
        finding(401, "the heartbeat is %u ms old, and the server answers: this table is not its own", age);
    else
        note("the server's heartbeat is %u ms old; what has not expired is still answered", age);
}

/* False: there is no table to be read. */
static bool check_header(const uint8_t *header, long length, bool is_server_alive) {
    bool is_known;
    if (length < NW_HEADER_BYTES || read_u32(header + NW_HEADER_MAGIC) != NW_TABLE_MAGIC_LOW ||
        read_u32(header + NW_HEADER_MAGIC + 4) != NW_TABLE_MAGIC_HIGH)
        finding(403, "%s is no table", in_directory("cache.table"));
    else if (!is_of_layout(header))
        finding(402, "the table is of layout %u, and this doctor reads %u",
                (unsigned long)read_u32(header + NW_HEADER_LAYOUT_VERSION), (unsigned long)NW_LAYOUT_VERSION);
    else if (!is_this_boot(header, &is_known) && !is_known)
        finding(409, "there is no /proc to tell of which boot the table is: client.so does not read it then");
    else if (!is_this_boot(header, &is_known) && is_server_alive)
        finding(404, "the table is of another boot, or another machine");
    else if (read_u32(header + NW_HEADER_STATE) != NW_STATE_LIVE && is_server_alive)
        finding(406, "the table is retired");
    else if (!is_this_boot(header, &is_known) || read_u32(header + NW_HEADER_STATE) != NW_STATE_LIVE)
        note("the table is one that a server has left behind, and counts no more");
    else
        return true;
    return false;
}

bool check_published(bool is_server_alive) {
    static uint8_t header[NW_HEADER_BYTES];
    const char *path = in_directory("cache.table");
    group("table");
    if (is_found(201) || is_found(202) || is_found(206) || is_found(207) || is_found(214)) {
        note("not looked for, without its directory");
        return false;
    }
    long length = file_read(path, header, sizeof header);
    if (length < 0 && is_server_alive)
        finding(401, "%s cannot be opened: %m", path, errno);
    else if (length < 0)
        note("%s cannot be opened: %m", path, errno);
    if (length < 0 || !check_header(header, length, is_server_alive))
        return false;
    const struct map *map = map_find(tick_ms());
    if (!map) {
        finding(405, "%s is sound, and cannot be read here: it has another clock, or too little room", path);
        return false;
    }
    fine("%s is of layout %u", path, (unsigned long)NW_LAYOUT_VERSION);
    check_beat(header, is_server_alive);
    check_room(map);
    return true;
}
