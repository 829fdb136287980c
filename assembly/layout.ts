// Every number that crosses a border: between the Wasm module and the server, between the server and client.so, and
// between both and the published file. Read by two compilers (AssemblyScript and TypeScript) and printed as
// shim/layout.h, so it holds nothing but `export const NAME = integer expression`.
// Numbers in the table and in records are little-endian; numbers in frame headers and bodies are in network order.

// ---- The published table: one header page, then the sets.
//
//   0        4        8        12       16       20       24       28       32
//   | "NAME" | "WELL" | layout | header | set    | slot   | ways   | sets   |
//   | seed A          | seed B          | boot id (16)                      |   32
//   | epoch           | state  |   0    | heartbeat       |        0        |   64
//   | flags  | count  | real time       |                 0                 |   96
//   | upstreams: u16 length, then text                                      |  128
//   | servers asked: count addresses of 16 bytes, IPv4 mapped               | 1280

export const TABLE_MAGIC_LOW = 0x454d414e; // "NAME"
export const TABLE_MAGIC_HIGH = 0x4c4c4557; // "WELL"
export const LAYOUT_VERSION = 2;

export const HEADER_BYTES = 4096;
export const HEADER_MAGIC = 0;
export const HEADER_LAYOUT_VERSION = 8;
export const HEADER_HEADER_BYTES = 12;
export const HEADER_SET_BYTES = 16;
export const HEADER_SLOT_BYTES = 20;
export const HEADER_WAYS = 24;
export const HEADER_SET_COUNT = 28;
export const HEADER_SEED_A = 32; // u64, see hash.ts
export const HEADER_SEED_B = 40; // u64
export const SEEDS_BYTES = 16; // A and B
export const HEADER_BOOT_ID = 48; // 16 bytes of /proc/sys/kernel/random/boot_id
export const HEADER_EPOCH = 64; // u64, random: which table this is
export const EPOCH_BYTES = 8;
export const HEADER_STATE = 72;
export const HEADER_HEARTBEAT_MS = 80; // u64, CLOCK_MONOTONIC
export const HEADER_FLAGS = 96; // u32, HEADER_FLAG_* bits
export const HEADER_SERVER_COUNT = 100; // u32
export const HEADER_REAL_MS = 104; // u64, CLOCK_REALTIME at the heartbeat: whether the other one stood still since
export const HEADER_UPSTREAMS = 128;
export const UPSTREAMS_BYTES_MAX = 1024;
export const HEADER_SERVERS = 1280;
export const SERVER_BYTES = 16;
export const SERVERS_MAX = 16;
export const BOOT_ID_BYTES = 16;

export const STATE_LIVE = 1;
export const STATE_RETIRED = 2; // another table has taken its place, or none: nothing in it counts any more

export const HEADER_FLAG_DENIALS_FINAL = 1; // whatever nameservers a container has

export const HEARTBEAT_EVERY_MS = 250;
export const HEARTBEAT_OLD_MS = 2000; // whoever has not written one for so long is gone or hangs

// ---- A set: one cache line of tags, then eight slots; one page, so that a look touches one page.
//
//   0           64           568          1072                       3592          4096
//   | 8 tags    | slot 0     | slot 1     | …                        | slot 7      |
//
// A tag is the whole 64-bit hash of the slot's question (0 = empty; a hash of 0 is written as 1).

export const WAYS = 8;
export const TAG_BYTES = 8;
export const TAG_LINE_BYTES = 64;
export const SLOT_BYTES = 504;
export const SET_BYTES = 4096;

// ---- A record: what a slot holds and what an answer frame carries. Its length is 8 more than a multiple of 16, so
// that all after the checksum is whole 16-byte blocks; what the names and data leave over is zero.
//
//   0               8               16     18    19    20     22     24              32
//   | checksum      | nonce         | len- | out-| ch- | type | data | expires at ms |
//   |               |               | gth  |come | ain |      | count| (monotonic)   |
//   | refresh at ms | ttl s | stale | data  | flags | names …                           32
//   | (monotonic)   |       | ms    | offset|       |
//   | names: the question's, then each of the chain; u8 length and lower-case text, no dot at the end | 0 | data |   52
//
// In a slot all behind the nonce is masked, up to the record's length (mask.ts); the checksum is over what lies there.
// Data start at the next multiple of 4: A 4 bytes each, AAAA 16 bytes each, PTR names of the same form as above.

export const RECORD_CHECKSUM = 0; // u64 over all that follows
export const RECORD_NONCE = 8; // u64, another for each write of a slot; 0 in a record that is in no slot
export const RECORD_LENGTH = 16; // u16; the masks begin here
export const RECORD_OUTCOME = 18; // u8
export const RECORD_CHAIN_COUNT = 19; // u8, names after the question's; the last is the canonical name
export const RECORD_TYPE = 20; // u16, DNS type
export const RECORD_DATA_COUNT = 22; // u16
export const RECORD_EXPIRES_AT_MS = 24; // u64
export const RECORD_REFRESH_AT_MS = 32; // u64
export const RECORD_TTL_SECONDS = 40; // u32, as first given out
export const RECORD_STALE_MS = 44; // u32, how far `expires` was moved past the record's own end (RFC 8767)
export const RECORD_DATA_OFFSET = 48; // u16, from the record's start
export const RECORD_FLAGS = 50; // u16, RECORD_FLAG_* bits; an unknown one means nothing
export const RECORD_NAMES = 52;
export const RECORD_HEADER_BYTES = 52;
export const RECORD_BYTES_MAX = 65528; // 8 + 4095 * 16

export const OUTCOME_EMPTY = 0;
export const OUTCOME_DATA = 1; // addresses, or names for PTR
export const OUTCOME_NO_DATA = 2; // the name exists, not with this type
export const OUTCOME_NO_NAME = 3; // NXDOMAIN
export const OUTCOME_TEMPORARY = 4; // never in a slot
export const OUTCOME_UNFIT = 5; // libc should answer: the reply holds what a record cannot; never in a slot

export const RECORD_FLAG_FIXED_ORDER = 1; // the addresses keep the order that their server gave them
export const RECORD_FLAG_SILENT = 2; // with OUTCOME_TEMPORARY and _UNFIT: nobody answered, not even with a failure

export const STALE_FOR_MS = 30000; // that an expired record is given out for at a time, RFC 8767 section 4

export const TYPE_A = 1;
export const TYPE_CNAME = 5;
export const TYPE_SOA = 6;
export const TYPE_PTR = 12;
export const TYPE_AAAA = 28;
export const TYPE_OPT = 41;

export const NAME_BYTES_MAX = 253; // as text, RFC 1035 section 2.3.4 less the root label and the first length
export const LABEL_BYTES_MAX = 63;
export const CHAIN_MAX = 16; // CNAMEs followed
export const MESSAGE_BYTES_MAX = 65535;

// ---- What the reply parser says of a message.

export const VERDICT_FOREIGN = 0; // not the reply to this query: go on listening
export const VERDICT_WRONG_CASE = 1; // but for the case of the question's letters it would be
export const VERDICT_MALFORMED = 2;
export const VERDICT_TRUNCATED = 3; // ask again over TCP
export const VERDICT_NO_EDNS = 4; // FORMERR, NOTIMP, BADVERS to this question: ask again without OPT
export const VERDICT_BAD_COOKIE = 5; // ask again with the cookie that came
export const VERDICT_FAILURE = 6; // this server has no answer, as its rcode says
export const VERDICT_LOOP = 7; // … since the chain of CNAMEs is too long or a loop
export const VERDICT_LAME = 8; // … since it only names servers that may have one
export const VERDICT_ANSWER = 9; // a record has been made
export const VERDICT_UNREAD = 10; // FORMERR or NOTIMP without the question: whoever knows the id may have sent it
export const VERDICT_OTHER_COOKIE = 11; // but for the client's cookie in it, it would be the reply

// ---- Wasm memory: fixed regions (assembly/memory.ts maps them), the table's image from here on, and after it what of
// the table is not published.

export const IMAGE_AT = 327680;
export const SIDE_BYTES = 24; // for each set
export const ENTRIES_MIN = 8;
export const ENTRIES_MAX = 4194304; // 2 GiB of sets
export const QUERY_BYTES_MAX = 259; // a question section: 255 of name, type, class
export const CLIENT_COOKIE_BYTES = 8; // RFC 7873 section 4
export const SERVER_COOKIE_BYTES_MIN = 8;
export const SERVER_COOKIE_BYTES_MAX = 32;

// ---- Seeds of the record checksum, factors of both hashes (hash.ts) and the masks' step (mask.ts): 64 bits each, in two
// halves.

export const MIX_FACTOR_A_LOW = 0x7f4a7c15;
export const MIX_FACTOR_A_HIGH = 0x9e3779b9;
export const MIX_FACTOR_B_LOW = 0x9d1fae4f;
export const MIX_FACTOR_B_HIGH = 0xc2b2ae3d;
export const CHECKSUM_SEED_A_LOW = 0x27d4eb2f;
export const CHECKSUM_SEED_A_HIGH = 0x165667b1;
export const CHECKSUM_SEED_B_LOW = 0x85ebca77;
export const CHECKSUM_SEED_B_HIGH = 0x61c88647;
export const MASK_STEP_LOW = 0xde82ef95; // odd
export const MASK_STEP_HIGH = 0xd1342543;

// ---- Frames on dns.sock. The length counts the whole frame and is below 2^24, so that a frame's first byte is 0 and
// a line of text can be told from it.
//
//   0        4         5      6     8
//   | length | version | kind |  0  | body …
//
//   question  | families | count | search | 0 | candidate names: u8 length, text; in the order of the search list |
//   answer    | families | index |     0      | one record per family, in the order A, AAAA, PTR |   (records start at 16)
//   pending   | wait ms: the answer comes within this time |
//   refused   | reason | version that the server speaks |  0  |
//   hello     nothing; answered by a hello
//   touch     | epoch (8), as it stands in the table's header | entries of 8 bytes: slot | nonce | hits |
//   hits      the same
//
// Touch and hits tell the server what was looked up in the published table; they get no answer. An entry is a slot's
// number (set * WAYS + way), the low 16 bits of its record's nonce, and the lookups since it was last told of. A
// touch says besides that the record's refresh time has passed.

export const FRAME_VERSION = 2;
export const FRAME_LENGTH = 0; // u32
export const FRAME_VERSION_AT = 4; // u8
export const FRAME_KIND = 5; // u8
export const FRAME_HEADER_BYTES = 8;

export const KIND_QUESTION = 1;
export const KIND_ANSWER = 2;
export const KIND_PENDING = 3;
export const KIND_REFUSED = 4;
export const KIND_HELLO = 5;
export const KIND_TOUCH = 6;
export const KIND_HITS = 7;

export const QUESTION_FAMILIES = 8; // u8, FAMILY_* bits
export const QUESTION_COUNT = 9; // u8
export const QUESTION_SEARCH = 10; // u8, SEARCH_* bits
export const QUESTION_NAMES = 12;
export const CANDIDATES_MAX = 32;
export const QUESTION_FRAME_BYTES_MAX = 8140; // QUESTION_NAMES + CANDIDATES_MAX * (1 + NAME_BYTES_MAX)

// glibc: the first candidate is the name as it is, and the others are asked for only where it does not exist; what it
// came to is the answer if they do not exist either. Without it: the first that exists without data, else the last.
export const SEARCH_AS_IS_FIRST = 1;
export const SEARCH_ENDS_AT_NO_DATA = 2; // musl: a candidate that exists without data ends the search

export const ANSWER_FAMILIES = 8; // u8
export const ANSWER_CANDIDATE = 9; // u8, index of the candidate that the records are for
export const ANSWER_RECORDS = 16;
export const ANSWER_FRAME_BYTES_MAX = 131072;

export const PENDING_WAIT_MS = 8; // u32
export const PENDING_FRAME_BYTES = 12;

export const REFUSED_REASON = 8; // u8
export const REFUSED_VERSION = 9; // u8
export const REFUSED_FRAME_BYTES = 12;
export const REFUSED_MALFORMED = 1;
export const REFUSED_UNKNOWN = 2; // this version or kind of frame is not spoken here
export const REFUSED_BUSY = 3;

export const USE_EPOCH = 8;
export const USE_ENTRIES = 16;
export const USE_ENTRY_BYTES = 8;
export const USE_SLOT = 0; // u32
export const USE_NONCE = 4; // u16
export const USE_HITS = 6; // u16; what is more is told as 65535
export const USE_ENTRIES_MAX = 256;

export const FAMILY_A = 1;
export const FAMILY_AAAA = 2;
export const FAMILY_PTR = 4;

// ---- Times that both ends of the socket count on.

export const PENDING_AFTER_MS = 250; // a server that has no answer by then says so
export const SILENCE_MS = 1000; // a server that says nothing for so long hangs
