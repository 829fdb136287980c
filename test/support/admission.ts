// What an API server makes of a pod by a MutatingAdmissionPolicy, or Kyverno by a MutatingPolicy: its selectors, conditions
// and variables, and the apply configuration, merged as server-side apply does. The CEL is evaluated by a library that has no
// object literals, so they become maps that carry their type, which has to be that of their place.
import { Environment } from "@marcbachmann/cel-js";
import type { Manifest } from "./manifests.ts";

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: ReadonlyArray<{ key: string; operator: string; values?: readonly string[] }>;
}

const TYPE = "@type";
/** What tells the elements of a list apart, by the list's place. */
const KEYS: Readonly<Record<string, string>> = {
  "Object.spec.volumes": "name",
  "Object.spec.containers": "name",
  "Object.spec.containers.env": "name",
  "Object.spec.containers.volumeMounts": "mountPath",
  "Object.spec.initContainers": "name",
  "Object.spec.initContainers.env": "name",
  "Object.spec.initContainers.volumeMounts": "mountPath",
};

const MAP = "Object.metadata.annotations";

/** The pod as it is stored, which is the pod as it came where the policy leaves it alone. */
export function admitted(policy: Manifest, pod: Manifest, namespaceLabels: Readonly<Record<string, string>>): Manifest {
  const { matchConstraints, matchConditions, variables: definitions, mutations } = policy.spec;
  if (!selects(matchConstraints.namespaceSelector, namespaceLabels)) return pod;
  if (!selects(matchConstraints.objectSelector, pod.metadata.labels ?? {})) return pod;
  const variables: Record<string, unknown> = {};
  const evaluated = (text: string) => evaluate(text, { object: pod, variables });
  for (const { expression } of matchConditions) if (evaluated(expression) !== true) return pod;
  for (const { name, expression } of definitions) variables[name] = evaluated(expression);
  return mutations.reduce(
    (object: Manifest, { applyConfiguration }: Manifest) =>
      merged(object, evaluated(applyConfiguration.expression), "Object"),
    pod,
  );
}

export function selects(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Readonly<Record<string, string>>,
) {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const isAmong = values.includes(labels[key] ?? "");
      if (operator === "In") return isAmong;
      if (operator === "NotIn") return !isAmong;
      throw new Error(`no operator ${operator}`);
    })
  );
}

export function evaluate(text: string, context: Record<string, unknown>): Manifest {
  const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false });
  return environment.evaluate(withoutObjectLiterals(text), context);
}

function withoutObjectLiterals(text: string): string {
  return text
    .split(/('[^']*')/)
    .map((part) => {
      if (part.startsWith("'")) return part;
      return part
        .replace(/([{,]\s*)([A-Za-z]\w*):/g, "$1'$2':")
        .replace(/\b(Object(?:\.\w+)*)\{/g, (_, type) => `{'${TYPE}': '${type}', `);
    })
    .join("");
}

function merged(object: Manifest, patch: Manifest, place: string): Manifest {
  if (Array.isArray(patch)) return mergedList(object ?? [], patch, place);
  if (patch === null || typeof patch !== "object") return patch;
  if (place === MAP) return Object.keys(patch).length === 0 ? object : { ...object, ...patch };
  const { [TYPE]: type, ...fields } = patch;
  if (type !== place) throw new Error(`${type} stands where ${place} belongs`);
  const result = { ...object };
  for (const [name, value] of Object.entries(fields)) {
    const field = merged(object?.[name], value, `${place}.${name}`);
    if (field !== undefined) result[name] = field;
  }
  return result;
}

function mergedList(list: readonly Manifest[], patches: readonly Manifest[], place: string): Manifest {
  if (patches.length === 0) return list.length === 0 ? undefined : list;
  const key = KEYS[place];
  if (key === undefined) throw new Error(`no key for the list ${place}`);
  const result = [...list];
  for (const patch of patches) {
    const at = result.findIndex((element) => element[key] === patch[key]);
    if (at < 0) result.push(merged({}, patch, place));
    else result[at] = merged(result[at], patch, place);
  }
  return result;
}
