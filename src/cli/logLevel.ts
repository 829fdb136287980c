// `namewell log-level`

import { visible } from "../logline.ts";
import type { Answers } from "../operate/snapshot.ts";
import { ask } from "./ask.ts";
import type { Session } from "./session.ts";

export async function logLevel(session: Session, level: string | undefined): Promise<void> {
  const target = { path: "/log-level" };
  const request =
    level === undefined
      ? ({ ...target, method: "GET" } as const)
      : ({ ...target, method: "PUT", body: { level } } as const);
  const { value } = await ask<Answers["logLevel"]>(session.doors, request);
  session.give(value, () => [visible(value.level)]);
}
