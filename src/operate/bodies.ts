// What is sent to control.sock: JSON of a known shape, or an error of one line that says which is accepted.
import type { Flush } from "./snapshot.ts";

export type Body<T> = { readonly value: T } | { readonly error: string };

const FLUSHES =
  'a flush is {"what":"name","name":…}, {"what":"suffix","suffix":…}, {"what":"negative"} or {"what":"all"}';

export function bodyOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

export function flushOf(body: unknown): Body<Flush> {
  const { what, name, suffix } = fieldsOf(body);
  if (what === "name" && typeof name === "string") return { value: { what, name } };
  if (what === "suffix" && typeof suffix === "string") return { value: { what, suffix } };
  if (what === "negative" || what === "all") return { value: { what } };
  return { error: FLUSHES };
}

export function levelOf(body: unknown): Body<string> {
  const { level } = fieldsOf(body);
  return typeof level === "string" ? { value: level } : { error: 'a log level is sent as {"level":"debug"}' };
}

function fieldsOf(body: unknown): Record<string, unknown> {
  return typeof body === "object" && body !== null ? { ...body } : {};
}
