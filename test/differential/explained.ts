// The short list: where the preload's answer may differ from libc's, and why. The README has the same list.

export interface Observed {
  readonly environment: string;
  readonly libc: string;
  /** What lookup.c printed: the call, and what came of it. */
  readonly alone: string;
  readonly preloaded: string;
}

interface Explanation {
  readonly reason: string;
  covers(observed: Observed): boolean;
}

const FAILS_FOR_A_MOMENT = /returns (-3 |NULL h_errno 2|11 result NULL h_errno 2)/;

function lowerCase(text: string): string {
  return text.replaceAll(/(canonical|name|alias|host) \S+/g, (words) => words.toLowerCase());
}

const EXPLANATIONS: readonly Explanation[] = [
  {
    reason: "the target of an alias is in lower case: replies may spell it as the question's random case has it",
    covers: ({ alone, preloaded }) => lowerCase(alone) === lowerCase(preloaded),
  },
  {
    reason: "a good A is given out on musl too where only AAAA fails, or is denied with the name",
    covers: ({ libc, alone, preloaded }) =>
      libc === "musl" &&
      / x\.(halfbroken|sixmissing)/.test(alone) &&
      /returns -[23]/.test(alone) &&
      /entry 192\.0\.2\.1 /.test(preloaded),
  },
  {
    reason: "a loop of aliases and a FORMERR are failures for a moment, and not the lack of a name",
    covers: ({ alone, preloaded }) =>
      / (about|round|x\.formerr)\.example/.test(alone) &&
      !/returns (0 \(|a host)|the host/.test(alone) &&
      FAILS_FOR_A_MOMENT.test(preloaded),
  },
  {
    reason: "an answer of more than 512 bytes is given out on musl before 1.2.4 too, which knows no TCP",
    covers: ({ libc, alone, preloaded }) =>
      libc === "musl" &&
      / (forty|sixty)\./.test(alone) &&
      /returns (-2|2|NULL)/.test(alone) &&
      /198\.51\.100\.40|2001:db8:39::1|returns 34/.test(preloaded),
  },
  {
    reason: "an _r form wants another size of buffer: libc's mostly more than it fills",
    covers: ({ alone, preloaded }) =>
      /_r .* \d+ \d\n/.test(alone) && /returns 34/.test(alone) !== /returns 34/.test(preloaded),
  },
];

export function explanation(observed: Observed): string | undefined {
  return EXPLANATIONS.find(({ covers }) => covers(observed))?.reason;
}
