// The types of records that are asked for, by name.
import { TYPE_A, TYPE_AAAA, TYPE_PTR } from "../assembly/layout.ts";

export function typeName(type: number): "A" | "AAAA" | "PTR" {
  return type === TYPE_A ? "A" : type === TYPE_AAAA ? "AAAA" : "PTR";
}

/** Undefined where it is none that the cache knows. */
export function typeNamed(name: string): number | undefined {
  return new Map([
    ["A", TYPE_A],
    ["AAAA", TYPE_AAAA],
    ["PTR", TYPE_PTR],
  ]).get(name);
}

/** Of what is counted by type: A, AAAA, PTR, others. */
export function typeIndex(type: number): 0 | 1 | 2 | 3 {
  return type === TYPE_A ? 0 : type === TYPE_AAAA ? 1 : type === TYPE_PTR ? 2 : 3;
}
