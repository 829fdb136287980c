import dnsPacket from "dns-packet";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  CHAIN_MAX,
  OUTCOME_DATA,
  OUTCOME_NO_DATA,
  OUTCOME_NO_NAME,
  OUTCOME_UNFIT,
  RECORD_BYTES_MAX,
  TYPE_PTR,
} from "../../../assembly/layout.ts";
import { type MessageReader, messageReader, type Query, type Reply } from "../../../src/table/message.ts";
import { addressesOf, namesOf, outcomeOf, ttlOf, typeOf } from "../../../src/table/record.ts";
import type { Wasm } from "../../../src/table/wasm.ts";
import {
  A,
  AAAA,
  a,
  CNAME,
  cname,
  encodeMessage,
  ipv4,
  type MessageParts,
  type Name,
  NS,
  NXDOMAIN,
  opt,
  PTR,
  questionSection,
  REPLY,
  type Rr,
  soa,
} from "../../support/dnsMessage.ts";
import { makeRecord } from "../../support/records.ts";
import { type Expected, referenceReply } from "../../support/referenceReply.ts";
import { debugWasm, releaseWasm } from "../../support/wasm.ts";

let builds: Wasm[];
let read: (message: Uint8Array, query: Query) => Reply;

beforeAll(() => {
  builds = [debugWasm(), releaseWasm()];
  const [debug, release] = builds.map(messageReader) as [MessageReader, MessageReader];
  read = (message, query) => {
    const reply = debug.read(message, query);
    expect(release.read(message, query)).toEqual(reply);
    return reply;
  };
});

const OUTCOMES = {
  [OUTCOME_DATA]: "data",
  [OUTCOME_NO_DATA]: "no data",
  [OUTCOME_NO_NAME]: "no name",
  [OUTCOME_UNFIT]: "unfit",
} as Record<number, Expected["outcome"]>;

/** What the reply says, in the form of the reference. */
function told(reply: Reply): Expected {
  if (reply.verdict === "foreign") return reply;
  const beside = reply.serverCookie && { serverCookie: Buffer.from(reply.serverCookie).toString("hex") };
  if (reply.verdict === "failure") {
    const { hasOpt: _, isOfTheName: __, serverCookie: ___, ...rest } = reply;
    return { ...rest, ...beside };
  }
  if (reply.verdict !== "answer") return { ...reply, serverCookie: undefined, ...beside };
  const { record } = reply;
  const [name = "", ...chain] = namesOf(record);
  const type = typeOf(record);
  const data = addressesOf(record);
  const bytes = type === TYPE_PTR ? data : data.map((address) => Buffer.from(hexOf(address), "hex"));
  expect(record).toEqual(
    makeRecord({ name, type, outcome: outcomeOf(record), ttl: ttlOf(record), chain, data: bytes }),
  );
  return {
    verdict: "answer",
    outcome: OUTCOMES[outcomeOf(record)],
    names: namesOf(record),
    data: typeOf(record) === TYPE_PTR ? addressesOf(record) : addressesOf(record).map(hexOf),
    ttl: ttlOf(record),
    ...beside,
  };
}

function hexOf(address: string): string {
  if (!address.includes(":")) return Buffer.from(ipv4(address)).toString("hex");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (mapped) return `${"0".repeat(20)}ffff${Buffer.from(ipv4(mapped)).toString("hex")}`;
  const [head = "", tail] = address.split("::");
  const groups = (text: string | undefined) => (text ? text.split(":") : []);
  const left = groups(head);
  const right = groups(tail);
  const zeros = new Array(8 - left.length - right.length).fill("0");
  return [...left, ...zeros, ...right].map((group) => group.padStart(4, "0")).join("");
}

const ID = 4660;

/** The reply to a query for the name, which must be what the reference says of it. */
function ask(name: Name, parts: MessageParts, type = A, isForReference = true, cookie?: Uint8Array): Expected {
  const message = encodeMessage({ id: ID, questions: [{ name, type }], ...parts });
  const query = { id: ID, question: questionSection(name, type), cookie };
  const reply = told(read(message, query));
  if (isForReference) expect(reply).toEqual(referenceReply(message, query));
  return reply;
}

const links = (count: number): Rr[] =>
  Array.from({ length: count }, (_, i) => cname(`n${i}.example`, `n${i + 1}.example`));

describe("a message is a reply to the query only if", () => {
  const parts = { id: ID, questions: [{ name: "Www.Example", type: A }], answers: [a("www.example", "192.0.2.1")] };
  const query = { id: ID, question: questionSection("Www.Example", A) };

  test.each<[string, MessageParts]>([
    ["it has the same id", { ...parts, id: ID + 1 }],
    ["it is a reply", { ...parts, flags: 0x0100 }],
    ["it has the opcode of a query", { ...parts, flags: REPLY | 0x0800 }],
    ["it has the question", { ...parts, questions: [] }],
    ["it has one question", { ...parts, questions: [...parts.questions, ...parts.questions] }],
    ["it has the name", { ...parts, questions: [{ name: "Wwv.Example", type: A }] }],
    ["it has the type", { ...parts, questions: [{ name: "Www.Example", type: AAAA }] }],
    ["it has the class", { ...parts, questions: [{ name: "Www.Example", type: A, class: 3 }] }],
  ])("%s", (_what, changed) => {
    expect(read(encodeMessage(parts), query).verdict).toBe("answer");
    expect(read(encodeMessage(changed), query).verdict).toBe("foreign");
  });

  test.each([
    ["www.Example", A, 1, "wrong-case"],
    ["WWW.EXAMPLE", A, 1, "wrong-case"],
    ["Www.Examplf", A, 1, "foreign"],
    ["www.example", AAAA, 1, "foreign"],
    ["www.example", A, 3, "foreign"],
  ])("it has the case: %s, type %d, class %d is %s", (name, type, qclass, verdict) => {
    for (const flags of [REPLY, REPLY | 1, REPLY | 2, REPLY | 0x0200]) {
      const message = encodeMessage({ ...parts, flags, questions: [{ name, type, class: qclass }] });
      expect(told(read(message, query))).toEqual({ verdict });
      expect(referenceReply(message, query)).toEqual({ verdict });
    }
  });

  test("its name differs in letters alone: '@' and '`', '[' and '{' are no cases of each other, nor are other types", () => {
    const [lower, upper] = [
      { id: ID, question: questionSection(["`{\x7f"], 0x6161) },
      questionSection(["@[_"], 0x6161),
    ];
    expect(read(encodeMessage({ id: ID, questions: [{ name: ["@[_"], type: 0x6161 }] }), lower).verdict).toBe(
      "foreign",
    );
    const message = encodeMessage({ id: ID, questions: [{ name: ["`{\x7f"], type: 0x4161 }] });
    expect(read(message, lower).verdict).toBe("foreign");
    expect(upper.length).toBe(lower.question.length);
  });

  test("it is long enough to show all this", () => {
    const message = encodeMessage({ ...parts, answers: [] });
    for (let length = 0; length < message.length; length++) {
      expect(read(message.subarray(0, length), query).verdict).toBe("foreign");
    }
  });
});

describe("verdicts", () => {
  test("a truncated reply is that, whatever else it says", () => {
    for (const rcode of [0, 1, 2, 3, 5]) {
      expect(ask("a.example", { flags: REPLY | 0x0200 | rcode })).toEqual({ verdict: "truncated" });
    }
  });

  test("FORMERR, NOTIMP and BADVERS mean that the server knows no EDNS", () => {
    expect(ask("a.example", { flags: REPLY | 1 })).toEqual({ verdict: "no-edns" });
    expect(ask("a.example", { flags: REPLY | 4 })).toEqual({ verdict: "no-edns" });
    expect(ask("a.example", { additionals: [opt(1)] })).toEqual({ verdict: "no-edns" });
  });

  test("FORMERR and NOTIMP need not repeat the question, other rcodes must", () => {
    const verdicts = [0, 1, 2, 3, 4, 5].map(
      (rcode) => ask("a.example", { questions: [], flags: REPLY | rcode }).verdict,
    );
    expect(verdicts).toEqual(["foreign", "unread", "foreign", "foreign", "unread", "foreign"]);
  });

  test.each([
    [2, "SERVFAIL"],
    [5, "REFUSED"],
    ...[6, 7, 8, 9, 10, 15].map((rcode): [number, string] => [rcode, `rcode ${rcode}`]),
  ] as [number, string][])("rcode %d is a failure of the server: %s", (rcode, why) => {
    expect(ask("a.example", { flags: REPLY | rcode })).toEqual({ verdict: "failure", rcode, why });
  });

  test("an extended rcode other than BADVERS is a failure, and told whole", () => {
    const answers = [a("a.example", "192.0.2.1")];
    const failure = (rcode: number) => ({ verdict: "failure", rcode, why: `rcode ${rcode}` });
    expect(ask("a.example", { additionals: [opt(2)], answers })).toEqual(failure(32));
    expect(ask("a.example", { flags: REPLY | 3, additionals: [opt(1)] })).toEqual(failure(19));
    expect(ask("a.example", { flags: REPLY | 2, additionals: [opt(255)] })).toEqual(failure(4082));
    expect(ask("a.example", { flags: REPLY | 7, additionals: [opt(1)] })).toEqual(failure(23)); // no cookie: no BADCOOKIE
    expect(ask("a.example", { flags: REPLY | 3, additionals: [opt(0)] }).verdict).toBe("answer"); // and none is left over
  });

  test("a referral by a server that neither knows nor recurses is a failure", () => {
    const authorities = [{ name: "example", type: NS, data: { name: "ns.example" } }];
    expect(ask("a.example", { flags: 0x8000, authorities })).toEqual({
      verdict: "failure",
      rcode: 0,
      why: "a referral (lame)",
    });
    expect(ask("a.example", { flags: 0x8400, authorities }).verdict).toBe("answer");
    expect(ask("a.example", { flags: 0x8080, authorities }).verdict).toBe("answer");
    expect(ask("a.example", { flags: 0x8000, authorities: [...authorities, soa("example", 9, 9)] }).verdict).toBe(
      "answer",
    );
  });

  test("OPT stands in the additional section, once and at the root", () => {
    const answers = [a("a.example", "192.0.2.1")];
    expect(ask("a.example", { answers, additionals: [a("x.example", "192.0.2.9"), opt()] }).verdict).toBe("answer");
    expect(ask("a.example", { answers, additionals: [opt(), opt()] }).verdict).toBe("malformed");
    expect(ask("a.example", { answers, additionals: [{ ...opt(), name: "a.example" }] }).verdict).toBe("malformed");
    expect(ask("a.example", { answers, authorities: [opt()] }).verdict).toBe("malformed");
    expect(ask("a.example", { answers: [...answers, opt()] }).verdict).toBe("malformed");
  });

  test("an address has the length of its type", () => {
    for (const length of [0, 3, 5, 16]) {
      const answers = [{ name: "a.example", type: A, data: new Uint8Array(length) }];
      expect(ask("a.example", { answers }).verdict).toBe("malformed");
    }
    for (const length of [4, 15, 17]) {
      const answers = [{ name: "a.example", type: AAAA, data: new Uint8Array(length) }];
      expect(ask("a.example", { answers }, AAAA).verdict).toBe("malformed");
    }
  });

  test("bytes behind the counted records are let be", () => {
    const message = encodeMessage({ id: ID, questions: [{ name: "a.b", type: A }], answers: [a("a.b", "192.0.2.1")] });
    const reply = read(Buffer.concat([message, Buffer.from("left over")]), {
      id: ID,
      question: questionSection("a.b", A),
    });
    expect(told(reply).data).toEqual(["c0000201"]);
  });
});

describe("cookies", () => {
  const own = Buffer.from("0123456789abcdef", "hex");
  const answers = [a("a.example", "192.0.2.1")];
  const server = (bytes: number) => Buffer.alloc(bytes, "server");
  const cookie = (data: Uint8Array) => ({ code: 10, data });
  const back = (bytes: number) => cookie(Buffer.concat([own, server(bytes)]));
  const padding = { code: 12, data: new Uint8Array(20) };
  const sent = (parts: MessageParts) => ask("a.example", parts, A, true, own);

  test.each([8, 16, 32])("the server's part of %d bytes is told with the answer", (bytes) => {
    const reply = sent({ answers, additionals: [opt(0, [back(bytes)])] });
    expect(reply).toMatchObject({ verdict: "answer", data: ["c0000201"], serverCookie: server(bytes).toString("hex") });
  });

  test("it is a copy, empty where only the client's part came back, and undefined where none did", () => {
    const query = { id: ID, question: questionSection("a.example", A), cookie: own };
    const replies = [[back(8)], [back(0)], [padding], [back(9)]].map((options) =>
      read(
        encodeMessage({ id: ID, questions: [{ name: "a.example", type: A }], additionals: [opt(0, options)] }),
        query,
      ),
    );
    expect(replies.map((reply) => "serverCookie" in reply && reply.serverCookie)).toEqual([
      new Uint8Array(server(8)),
      new Uint8Array(0),
      undefined,
      new Uint8Array(server(9)),
    ]);
    expect(sent({ answers }).serverCookie).toBeUndefined();
  });

  test.each([0, 1, 7, 9, 15, 41, 100])("of %d bytes make a reply malformed", (bytes) => {
    const data = Buffer.concat([own, server(100)]).subarray(0, bytes);
    for (const flags of [REPLY, REPLY | 1, REPLY | 2, REPLY | 0x0200]) {
      expect(sent({ flags, answers, additionals: [opt(0, [cookie(data)])] })).toEqual({ verdict: "malformed" });
    }
  });

  test("with another client's part are a verdict of their own, whatever else the reply says, where it repeats the question", () => {
    for (let bit = 0; bit < 64; bit++) {
      const { data } = back(8);
      data[bit >> 3] = (data[bit >> 3] as number) ^ (1 << (bit & 7));
      for (const flags of [REPLY, REPLY | 1, REPLY | 2, REPLY | 3, REPLY | 0x0200]) {
        expect(sent({ flags, additionals: [opt(0, [cookie(data)])] })).toEqual({ verdict: "other-cookie" });
      }
      const broken = { flags: REPLY | 1, questions: [], additionals: [opt(0, [cookie(data)])] };
      expect(sent(broken)).toEqual({ verdict: "foreign" });
      const wrongCase = { questions: [{ name: "A.example", type: A }], additionals: [opt(0, [cookie(data)])] };
      expect(sent(wrongCase)).toEqual({ verdict: "foreign" });
    }
  });

  test("are let be where none was sent", () => {
    for (const options of [[back(8)], [cookie(own.subarray(1))], [cookie(server(8))]]) {
      const reply = ask("a.example", { answers, additionals: [opt(0, options)] });
      expect(reply).toMatchObject({ verdict: "answer", data: ["c0000201"] });
      expect(reply.serverCookie).toBeUndefined();
    }
  });

  test("that the server refuses are a verdict, if it sends one to come again with", () => {
    const flags = REPLY | 7;
    const serverCookie = server(16).toString("hex");
    expect(sent({ flags, additionals: [opt(1, [back(16)])] })).toEqual({ verdict: "bad-cookie", serverCookie });
    const failure = { verdict: "failure", rcode: 23, why: "rcode 23" };
    expect(sent({ flags, additionals: [opt(1, [back(0)])] })).toEqual({ ...failure, serverCookie: "" });
    expect(sent({ flags, additionals: [opt(1)] })).toEqual(failure);
    expect(ask("a.example", { flags, additionals: [opt(1, [back(16)])] })).toEqual(failure);
    expect(sent({ flags: flags | 0x0200, additionals: [opt(1, [back(16)])] })).toEqual({
      verdict: "truncated",
      serverCookie,
    });
  });

  test.each<[string, MessageParts]>([
    ["truncated", { flags: REPLY | 0x0200 }],
    ["no-edns", { flags: REPLY | 1 }],
    ["unread", { flags: REPLY | 4, questions: [] }],
    ["failure", { flags: REPLY | 2 }],
    ["failure", { flags: REPLY | 5, answers, authorities: [soa("example", 9, 9)] }],
    ["failure", { answers: [cname("a.example", "a.example")] }],
    ["malformed", { answers: [{ name: "a.example", type: A, data: new Uint8Array(3) }] }],
    ["wrong-case", { questions: [{ name: "A.example", type: A }] }],
    ["answer", { flags: REPLY | NXDOMAIN, authorities: [soa("example", 9, 9)] }],
  ])("come with the verdict %s too (%#)", (verdict, parts) => {
    const serverCookie = server(8).toString("hex");
    const additionals = [a("ns.example", "192.0.2.3"), opt(0, [padding, back(8)])];
    expect(sent({ ...parts, additionals })).toMatchObject({ verdict, serverCookie });
    const { serverCookie: none, ...rest } = sent({ ...parts, additionals: [opt(0, [padding])] });
    expect(none).toBeUndefined();
    expect(rest.verdict).toBe(verdict);
  });

  test("that cannot be found, for the sections end early, leave the verdict as it is", () => {
    for (const [flags, verdict] of [
      [REPLY | 0x0200, "truncated"],
      [REPLY | 2, "failure"],
      [REPLY | 1, "no-edns"],
    ] as const) {
      const question = [{ name: "a.example", type: A }];
      const query = { id: ID, question: questionSection("a.example", A), cookie: own };
      const whole = encodeMessage({ id: ID, flags, questions: question, answers, additionals: [opt(0, [back(8)])] });
      const start = 12 + query.question.length;
      for (let length = start; length < whole.length; length++) {
        const cut = whole.subarray(0, length);
        expect(told(read(cut, query))).toMatchObject({ verdict });
        expect(told(read(cut, query))).toEqual(referenceReply(cut, query));
        expect(told(read(cut, query)).serverCookie).toBeUndefined();
      }
    }
  });

  test("may come twice: the first counts", () => {
    const additionals = [opt(0, [back(8), cookie(server(8)), back(16)])];
    expect(sent({ answers, additionals })).toMatchObject({
      verdict: "answer",
      serverCookie: server(8).toString("hex"),
    });
    expect(sent({ answers, additionals: [opt(0, [cookie(server(8)), back(8)])] }).verdict).toBe("other-cookie");
    expect(sent({ answers, additionals: [opt(0, [cookie(own.subarray(1)), back(8)])] }).verdict).toBe("malformed");
  });

  test("and other options stay within their OPT: an answer is malformed where one runs past it", () => {
    for (const data of ["00", "000a00", "000a0008", "000c0001", "000c000000", "000a000800000000000000"]) {
      const odd = { ...opt(), data: Buffer.from(data, "hex") };
      for (const additionals of [[odd], [odd, a("ns.example", "192.0.2.3")]]) {
        expect(sent({ answers, additionals })).toEqual({ verdict: "malformed" });
        expect(ask("a.example", { answers, additionals })).toEqual({ verdict: "malformed" });
        expect(sent({ flags: REPLY | 0x0200, answers, additionals })).toEqual({ verdict: "truncated" });
        expect(sent({ flags: REPLY | 2, answers, additionals })).toMatchObject({ verdict: "failure", rcode: 2 });
      }
      const after = { ...opt(), data: Buffer.concat([opt(0, [back(8)]).data as Uint8Array, odd.data]) };
      expect(sent({ flags: REPLY | 2, additionals: [after] })).toMatchObject({
        verdict: "failure",
        serverCookie: server(8).toString("hex"),
      });
    }
  });

  test("of another length than a client's are the caller's mistake", () => {
    const question = questionSection("a.b", A);
    for (const bytes of [0, 7, 9, 40]) {
      expect(() => read(new Uint8Array(12), { id: 0, question, cookie: new Uint8Array(bytes) })).toThrow(RangeError);
    }
  });
});

describe("the CNAME chain", () => {
  test("is followed in any order of the records", () => {
    const answers = [
      a("c.example", "192.0.2.2", 30),
      cname("b.example", "c.example", 20),
      a("c.example", "192.0.2.1", 40),
      cname("a.example", "b.example", 50),
    ];
    expect(ask("a.example", { answers })).toEqual({
      verdict: "answer",
      outcome: "data",
      names: ["a.example", "b.example", "c.example"],
      data: ["c0000202", "c0000201"],
      ttl: 20,
    });
  });

  test("leaves out what is not on it", () => {
    const answers = [
      a("evil.example", "192.0.2.66", 1),
      cname("evil.example", "a.example", 1),
      a("a.example", "192.0.2.67", 1),
      cname("a.example", "b.example"),
      { ...a("b.example", "192.0.2.68", 1), class: 3 },
      a("b.example", "192.0.2.1"),
    ];
    expect(ask("a.example", { answers })).toMatchObject({
      names: ["a.example", "b.example"],
      data: ["c0000201"],
      ttl: 60,
    });
  });

  test("goes by the first CNAME of an owner", () => {
    const answers = [
      cname("a.example", "b.example"),
      cname("A.EXAMPLE", "c.example"),
      a("c.example", "192.0.2.3"),
      a("b.example", "192.0.2.2"),
    ];
    expect(ask("a.example", { answers }).data).toEqual(["c0000202"]);
  });

  test("may have 16 links, and no 17th", () => {
    const end = a(`n${CHAIN_MAX}.example`, "192.0.2.1");
    expect(ask("n0.example", { answers: [...links(CHAIN_MAX), end] }).names?.length).toBe(1 + CHAIN_MAX);
    expect(ask("n0.example", { answers: [...links(CHAIN_MAX).reverse(), end] }).data).toEqual(["c0000201"]);
    expect(ask("n0.example", { answers: [...links(17), a("n17.example", "192.0.2.1")] })).toEqual({
      verdict: "failure",
      rcode: 0,
      why: "a chain of CNAMEs that is too long or a loop",
    });
  });

  test("fails where it is a loop", () => {
    expect(ask("a.b", { answers: [cname("a.b", "a.b"), a("a.b", "192.0.2.1")] }).verdict).toBe("failure");
    expect(ask("a.b", { answers: [cname("a.b", "c.d"), cname("c.d", "A.b")] }).verdict).toBe("failure");
  });

  test("fails where a target does not fill its record", () => {
    const data = Buffer.from("\x01b\x00\x00", "latin1");
    expect(ask("a.b", { answers: [{ name: "a.b", type: CNAME, data }] }).verdict).toBe("malformed");
  });
});

describe("data", () => {
  test("are kept as sent, twice where sent twice", () => {
    const answers = [a("a.b", "192.0.2.9"), a("a.b", "192.0.2.1"), a("a.b", "192.0.2.9")];
    expect(ask("a.b", { answers }).data).toEqual(["c0000209", "c0000201", "c0000209"]);
  });

  test("are kept to the last, 60 and 2000 of them", () => {
    for (const count of [60, 2000]) {
      const answers = Array.from({ length: count }, (_, i) => a("many.example", `10.0.${i >> 8}.${i & 255}`));
      expect(ask("many.example", { answers }).data?.length).toBe(count);
    }
  });

  // Addresses cannot do it, as each takes more of a message than of a record; a pointer to a long name can.
  test("that would not fit a record make it unfit, never cut", () => {
    const label = "a".repeat(63);
    const target = [label, label, label, "b".repeat(60)]; // 253 bytes in a record
    const fitting = Math.floor((RECORD_BYTES_MAX - 60) / 253);
    const reply = (count: number) => {
      const answers = new Array<Rr>(count).fill({ name: "1.example", type: PTR, data: { name: target } });
      return ask("1.example", { answers }, PTR, false);
    };
    expect(reply(fitting).data?.length).toBe(fitting);
    expect(reply(fitting + 1)).toMatchObject({ outcome: "unfit", names: ["1.example"], data: [] });
  });

  test("of PTR are names", () => {
    const ptr = (target: Name): Rr => ({ name: "1.2.0.192.in-addr.arpa", type: PTR, data: { name: target } });
    const answers = [ptr("Host.Example"), ptr("other.example")];
    expect(ask("1.2.0.192.in-addr.arpa", { answers }, PTR).data).toEqual(["host.example", "other.example"]);
  });

  test("of IPv6 come out whole", () => {
    const data = Buffer.from("20010db8000000000000000000000001", "hex");
    expect(ask("a.b", { answers: [{ name: "a.b", type: AAAA, data }] }, AAAA).data).toEqual([data.toString("hex")]);
  });
});

describe("the ttl", () => {
  test("is the shortest of chain and data", () => {
    expect(ask("a.b", { answers: [cname("a.b", "c.d", 7), a("c.d", "192.0.2.1", 9)] }).ttl).toBe(7);
    expect(
      ask("a.b", { answers: [cname("a.b", "c.d", 9), a("c.d", "192.0.2.1", 8), a("c.d", "192.0.2.2", 7)] }).ttl,
    ).toBe(7);
  });

  test("is 0 where its top bit is set", () => {
    expect(ask("a.b", { answers: [a("a.b", "192.0.2.1", 0x7fffffff)] }).ttl).toBe(0x7fffffff);
    expect(ask("a.b", { answers: [a("a.b", "192.0.2.1", 0x80000000)] }).ttl).toBe(0);
    expect(ask("a.b", { authorities: [soa("b", 0xffffffff, 9)] }).ttl).toBe(0);
    expect(ask("a.b", { authorities: [soa("b", 9, 0xffffffff)] }).ttl).toBe(0);
  });
});

describe("negative replies", () => {
  const flags = REPLY | NXDOMAIN;

  test("live as long as the lesser of the SOA's ttl and its minimum", () => {
    expect(ask("a.b", { flags, authorities: [soa("b", 20, 30)] })).toMatchObject({ outcome: "no name", ttl: 20 });
    expect(ask("a.b", { flags, authorities: [soa("a.b", 30, 10)] })).toMatchObject({ outcome: "no name", ttl: 10 });
    expect(ask("a.b", { authorities: [soa("", 30, 10)] })).toMatchObject({ outcome: "no data", ttl: 10 });
  });

  test("without a SOA of theirs live 5 s, or as long as their chain", () => {
    expect(ask("a.b", { flags })).toMatchObject({ outcome: "no name", ttl: 5 });
    expect(ask("a.b", {})).toMatchObject({ outcome: "no data", ttl: 5 });
    expect(ask("a.b", { flags, authorities: [soa("c", 20, 30)] }).ttl).toBe(5);
    expect(ask("a.b", { flags, authorities: [soa("x.a.b", 20, 30)] }).ttl).toBe(5);
    expect(ask("a.b", { flags, authorities: [{ ...soa("b", 20, 30), class: 3 }] }).ttl).toBe(5);
    expect(ask("a.b", { answers: [cname("a.b", "c.d", 3)] }).ttl).toBe(3);
  });

  test("with a SOA of theirs that promises nothing have a ttl of 0", () => {
    expect(ask("a.b", { flags, authorities: [soa("b", 20, 0)] }).ttl).toBe(0);
    expect(ask("a.b", { flags, authorities: [soa("b", 0, 20)] }).ttl).toBe(0);
    expect(ask("a.b", { flags, authorities: [soa("c", 20, 30), soa("b", 20, 0)] }).ttl).toBe(0);
  });

  test("take the first SOA of theirs", () => {
    expect(ask("a.b", { flags, authorities: [soa("c", 5, 5), soa("b", 20, 30), soa("b", 7, 7)] }).ttl).toBe(20);
  });

  test("speak of the chain's end", () => {
    const answers = [cname("a.b", "c.d", 15)];
    expect(ask("a.b", { flags, answers, authorities: [soa("b", 20, 30)] })).toMatchObject({
      outcome: "no name",
      ttl: 5,
    });
    expect(ask("a.b", { flags, answers, authorities: [soa("d", 20, 30)] })).toMatchObject({
      names: ["a.b", "c.d"],
      ttl: 15,
    });
    expect(ask("a.b", { answers, authorities: [soa("d", 20, 10)] })).toMatchObject({ outcome: "no data", ttl: 10 });
  });

  test("hold no data, also where NXDOMAIN comes with some", () => {
    expect(ask("a.b", { flags, answers: [a("a.b", "192.0.2.1")] })).toMatchObject({ outcome: "no name", data: [] });
  });

  test("with a SOA that does not fill its record are malformed", () => {
    const data = Buffer.alloc(23);
    expect(ask("a.b", { flags, authorities: [{ name: "b", type: 6, data }] }).verdict).toBe("malformed");
  });
});

describe("names that libc would not give out make the answer unfit:", () => {
  const unfit = { verdict: "answer", outcome: "unfit", names: ["a.b"], data: [], ttl: 0 };

  test.each<[Name]>([
    [["c.d"]],
    [["c\\d", "e"]],
    [["c d"]],
    [["\0"]],
    [["\x7f"]],
    [["\xe9", "e"]],
    [["a;b"]],
    [["-c", "e"]],
    [[]],
  ])("%j in the chain", (target) => {
    const answers = [cname("a.b", target), a(target, "192.0.2.1")];
    expect(ask("a.b", { answers })).toEqual(unfit);
    expect(ask("a.b", { answers, flags: REPLY | NXDOMAIN })).toEqual(unfit);
  });

  test.each<[Name]>([[["c.d"]], [["$(c)", "d"]], [["c", "d e"]], [["-c"]], [[]]])("%j in the data of PTR", (target) => {
    const answers = [
      { name: "a.b", type: PTR, data: { name: "good.example" } },
      { name: "a.b", type: PTR, data: { name: target } },
    ];
    expect(ask("a.b", { answers }, PTR)).toEqual(unfit);
  });

  test("but the chain of a PTR may be one of RFC 2317, and underscores are good", () => {
    const answers: Rr[] = [cname("a.b", "1.0/25.b"), { name: "1.0/25.b", type: PTR, data: { name: "_x.y" } }];
    expect(ask("a.b", { answers }, PTR)).toMatchObject({ outcome: "data", data: ["_x.y"] });
  });
});

describe("hostile messages", () => {
  test("with owners of one hash do not have them taken for one name", () => {
    const [name, twin] = ["n4uzx", "nf2ad"]; // equal in the parser's 32-bit hash
    expect(ask(name, { answers: [a(twin, "192.0.2.66")] })).toMatchObject({ outcome: "no data", data: [] });
    const answers = [cname(name, twin), a(name, "192.0.2.66"), a(twin, "192.0.2.1")];
    expect(ask(name, { answers }).data).toEqual(["c0000201"]);
  });

  const query = { id: ID, question: questionSection("a.b", A) };

  // The second number is read to the end of the section, and gives out when the owners are compared.
  test.each([4000, 700])("cost a bounded number of steps: %d records at the end of a ladder of pointers", (count) => {
    const head = Buffer.from(encodeMessage({ id: ID, questions: [{ name: "a.b", type: A }] }));
    const ladder = Buffer.alloc(400);
    for (let i = 0; i < 200; i++) ladder.writeUInt16BE(0xc000 | (i === 0 ? 12 : head.length + 11 + 2 * (i - 1)), 2 * i);
    // The ladder hides in the data of a first record of no interest; then owners take turns, so that none is remembered.
    const hiding = Buffer.from([0, 0, 16, 0, 1, 0, 0, 0, 60, ladder.length >> 8, ladder.length & 255]);
    const top = head.length + 11 + 2 * 199;
    const records = Array.from({ length: count }, (_, i) => {
      const owner = 0xc000 | (top - 2 * (i % 2));
      return Buffer.from([owner >> 8, owner & 255, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    });
    const message = Buffer.concat([head, hiding, ladder, ...records]);
    message.writeUInt16BE(1 + count, 6);
    expect(message.length).toBeLessThanOrEqual(65535);
    expect(read(message, query).verdict).toBe("malformed");
    // A legal message of the same shape and size is read.
    const legal = new Array<Rr>(count).fill(a("a.b", "192.0.2.1"));
    expect(ask("a.b", { answers: legal }).data?.length).toBe(count);
  });

  test("longer than a message can be are malformed", () => {
    expect(read(new Uint8Array(65536), query)).toEqual({ verdict: "malformed" });
  });

  test("a question section longer than any is the caller's mistake", () => {
    expect(() => read(new Uint8Array(12), { id: 0, question: new Uint8Array(260) })).toThrow(RangeError);
  });
});

const COOKIE = Buffer.from("0123456789abcdef", "hex");
const option = fc.record({
  code: fc.constantFrom(10, 10, 10, 12, 3),
  data: fc
    .tuple(fc.constantFrom(COOKIE, COOKIE, COOKIE, Buffer.alloc(8)), fc.constantFrom(0, 7, 8, 9, 16, 24, 40, 41))
    .map(([client, bytes]) => Buffer.concat([client, COOKIE, Buffer.alloc(32)]).subarray(0, bytes)),
});

type RandomParts = Required<MessageParts> & { questions: [{ name: string; type: number }] };

// Messages of a few names, so that chains, loops and strangers come up by chance.
const NAMES = ["a.b", "A.b", "c.b", "d.c.b", "e", "b", ""];
const name = fc.constantFrom<Name>(...NAMES, ["f.g"], ["\xe9"]);
const ttl = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff));
const rrClass = fc.constantFrom(1, 1, 1, 1, 1, 1, 3);
const rr: fc.Arbitrary<Rr> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ name, type: fc.constant(CNAME), class: rrClass, ttl, data: fc.record({ name }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      name,
      type: fc.constant(A),
      class: rrClass,
      ttl,
      data: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ name, type: fc.constant(AAAA), ttl, data: fc.uint8Array({ minLength: 16, maxLength: 16 }) }),
  },
  { weight: 2, arbitrary: fc.record({ name, type: fc.constantFrom(PTR, NS), ttl, data: fc.record({ name }) }) },
  { weight: 1, arbitrary: fc.record({ name, type: fc.constant(16), ttl, data: fc.constant(Buffer.from("\x02hi")) }) },
);
const soaRr = fc.tuple(name, ttl, ttl).map(([owner, ttlSeconds, minimum]) => soa(owner, ttlSeconds, minimum));
const parts: fc.Arbitrary<RandomParts> = fc.record({
  id: fc.constant(ID),
  flags: fc.constantFrom(
    ...[REPLY, REPLY, REPLY, REPLY, REPLY, REPLY],
    ...[REPLY | NXDOMAIN, 0x8000, 0x8400 | NXDOMAIN, REPLY | 2, REPLY | 7, REPLY | 0x0200],
  ),
  questions: fc.tuple(
    fc.record({ name: fc.constantFrom("a.b", "A.B", "c.b"), type: fc.constantFrom(A, A, AAAA, PTR) }),
  ),
  answers: fc.array(rr, { maxLength: 8 }),
  authorities: fc.array(fc.oneof(rr, soaRr), { maxLength: 3 }),
  additionals: fc.oneof(
    fc.constantFrom<Rr[]>([], [opt()], [opt(1)], [opt(), opt()]),
    fc.array(rr, { maxLength: 2 }),
    fc
      .tuple(fc.constantFrom(0, 0, 0, 1), fc.array(option, { maxLength: 3 }))
      .map(([extended, options]) => [opt(extended, options)]),
  ),
});

/** The query that the message answers, or would but for a letter's case. */
const asked = (message: RandomParts, cookie: Uint8Array | undefined, isSame: boolean): Query => {
  const [{ name, type }] = message.questions;
  return { id: ID, question: questionSection(isSame ? name : name.replace(/^a/, "A"), type), cookie };
};
const sentCookie = fc.constantFrom(undefined, COOKIE);
const isSameCase = fc.integer({ min: 0, max: 9 }).map((digit) => digit > 0);

describe("against other parsers", () => {
  test("says of random messages what the reference says", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(parts, fc.boolean(), sentCookie, isSameCase, (message, compress, cookie, isSame) => {
        const bytes = encodeMessage(message, compress);
        const query = asked(message, cookie, isSame);
        const expected = referenceReply(bytes, query);
        expect(told(read(bytes, query))).toEqual(expected);
        seen.add(expected.outcome ?? expected.why ?? expected.verdict);
        if (expected.serverCookie) seen.add(`${expected.verdict} with a cookie`);
      }),
      { numRuns: 3000, seed: 3 },
    );
    const answers = ["data", "no data", "no name", "unfit"];
    const failures = [
      "SERVFAIL",
      "rcode 7",
      "rcode 23",
      "a chain of CNAMEs that is too long or a loop",
      "a referral (lame)",
    ];
    const others = ["foreign", "other-cookie", "wrong-case", "malformed", "truncated", "no-edns", "bad-cookie"];
    const withCookie = ["answer", "failure", "truncated", "no-edns", "bad-cookie"].map(
      (verdict) => `${verdict} with a cookie`,
    );
    expect([...seen]).toEqual(expect.arrayContaining([...answers, ...failures, ...others, ...withCookie]));
  });

  test("finds in what dns-packet encodes what dns-packet decodes from it", () => {
    const host = fc.constantFrom("www.example.com", "Edge.Example.NET", "x.y");
    const answer = fc.oneof(
      fc.record({ name: host, type: fc.constant("A" as const), ttl: fc.nat(9999), data: fc.ipV4() }),
      fc.record({ name: host, type: fc.constant("CNAME" as const), ttl: fc.nat(9999), data: host }),
    );
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 8 }), (answers) => {
        const questions = [{ type: "A" as const, name: "www.example.com" }];
        const bytes = dnsPacket.encode({ type: "response", id: ID, flags: 0x0180, questions, answers });
        const reply = told(read(bytes, { id: ID, question: questionSection("www.example.com", A) }));
        const decoded = (dnsPacket.decode(bytes).answers ?? []) as typeof answers;

        const chain = ["www.example.com"];
        for (const _ of decoded) {
          const link = decoded.find((rr) => rr.type === "CNAME" && rr.name.toLowerCase() === chain.at(-1));
          if (link && chain.length <= decoded.length) chain.push(link.data.toLowerCase());
        }
        const isLoop = new Set(chain).size < chain.length;
        const addresses = decoded.filter((rr) => rr.type === "A" && rr.name.toLowerCase() === chain.at(-1));
        if (isLoop) expect(reply.verdict).toBe("failure");
        else {
          expect(reply.names).toEqual(chain);
          expect(reply.data).toEqual(addresses.map((rr) => Buffer.from(ipv4(rr.data)).toString("hex")));
        }
      }),
      { numRuns: 1000, seed: 4 },
    );
  });

  test("our encoder's compression is read by dns-packet as we mean it", () => {
    const bytes = encodeMessage({
      questions: [{ name: "a.b", type: A }],
      answers: [cname("a.b", "c.b"), a("c.b", "192.0.2.1")],
    });
    expect(dnsPacket.decode(Buffer.from(bytes)).answers).toMatchObject([
      { name: "a.b", type: "CNAME", data: "c.b" },
      { name: "c.b", type: "A", data: "192.0.2.1" },
    ]);
  });
});

describe("damaged messages", () => {
  const question = [{ name: "a.b", type: A }];
  const whole = [
    encodeMessage({
      id: ID,
      questions: question,
      answers: [cname("a.b", "c.b"), a("c.b", "192.0.2.1"), a("c.b", "192.0.2.2")],
    }),
    encodeMessage({
      id: ID,
      flags: REPLY | NXDOMAIN,
      questions: question,
      answers: [cname("a.b", "c.b")],
      authorities: [soa("b", 9, 9)],
      additionals: [
        opt(0, [
          { code: 12, data: COOKIE },
          { code: 10, data: Buffer.concat([COOKIE, COOKIE]) },
        ]),
      ],
    }),
    encodeMessage({
      id: ID,
      questions: question,
      answers: [a("a.b", "192.0.2.1")],
      authorities: [{ name: "b", type: NS, data: { name: "ns.b" } }],
    }),
  ];
  const query = { id: ID, question: questionSection("a.b", A), cookie: COOKIE };

  test("cut at any length are no answer, whatever stands behind in memory", () => {
    for (const message of whole) {
      expect(read(message, query).verdict).toBe("answer");
      for (let length = 0; length < message.length; length++) {
        for (const wasm of builds) wasm.message.set(message); // what was cut off still stands there
        expect(["foreign", "malformed"]).toContain(read(message.subarray(0, length), query).verdict);
      }
    }
  });

  test("with one bit wrong are read as the reference reads them", () => {
    for (const message of whole) {
      for (let bit = 0; bit < message.length * 8; bit++) {
        const damaged = message.slice();
        damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(told(read(damaged, query))).toEqual(referenceReply(damaged, query));
      }
    }
  });

  test("with many bytes wrong are read as the reference reads them", () => {
    const change = fc.tuple(
      fc.nat(),
      fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 0xc0, 12, 16, 18)),
    );
    fc.assert(
      fc.property(
        parts,
        fc.array(change, { minLength: 1, maxLength: 6 }),
        fc.nat(),
        sentCookie,
        (message, changes, cut, cookie) => {
          const bytes = encodeMessage(message);
          const start = 16;
          for (const [at, byte] of changes) bytes[start + (at % (bytes.length - start))] = byte;
          const damaged = bytes.subarray(0, cut % 3 === 0 ? cut % bytes.length : bytes.length);
          const query = asked(message, cookie, true);
          expect(told(read(damaged, query))).toEqual(referenceReply(damaged, query));
        },
      ),
      { numRuns: 5000, seed: 5 },
    );
  });
});
