// deploy/kubernetes: kustomize takes it, the objects are what an API server knows, and they fit each other, the alerts and this
// release. The server's pods are in kubernetesServer.test.ts, what the policies do is in kubernetesInjection.test.ts, and
// kubernetesPods.test.ts runs what the pods run.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { MutatingPolicy } from "@kubernetes-models/kyverno/policies.kyverno.io/v1";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
} from "kubernetes-models/admissionregistration.k8s.io/v1";
import { DaemonSet, Deployment } from "kubernetes-models/apps/v1";
import { Job } from "kubernetes-models/batch/v1";
import { Namespace } from "kubernetes-models/v1";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { admitted } from "../support/admission.ts";
import { KUBERNETES, kubectlMissing, kustomized, type Manifest, manifestsOf } from "../support/manifests.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8"));

/** By kind: the class that validates an object, and the module that has its type. */
const MODELS: Readonly<Record<string, { model: new (data: Manifest) => { validate(): void }; from: string }>> = {
  Namespace: { model: Namespace, from: "kubernetes-models/v1" },
  DaemonSet: { model: DaemonSet, from: "kubernetes-models/apps/v1" },
  Deployment: { model: Deployment, from: "kubernetes-models/apps/v1" },
  Job: { model: Job, from: "kubernetes-models/batch/v1" },
  PodMonitor: { model: PodMonitor, from: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1" },
  MutatingPolicy: { model: MutatingPolicy, from: "@kubernetes-models/kyverno/policies.kyverno.io/v1" },
  MutatingAdmissionPolicy: {
    model: MutatingAdmissionPolicy,
    from: "kubernetes-models/admissionregistration.k8s.io/v1",
  },
  MutatingAdmissionPolicyBinding: {
    model: MutatingAdmissionPolicyBinding,
    from: "kubernetes-models/admissionregistration.k8s.io/v1",
  },
};

const files = fs
  .readdirSync(KUBERNETES, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".yaml") && path.basename(file) !== "kustomization.yaml")
  .sort();
const objects = files.flatMap((file) =>
  manifestsOf(file).map((object) => ({
    file,
    // The two versions have one shape, and the models only the newer.
    object: { ...object, apiVersion: object.apiVersion.replace(/(admissionregistration.k8s.io\/v1)beta1$/, "$1") },
  })),
);
const only = (file: string): Manifest => manifestsOf(file)[0];

describe("the manifests", () => {
  it("have no field that the API does not know, and none of another type", () => {
    const misspelt = { ...only("base/namespace.yaml"), specs: {} };
    const told = mistyped([...objects.map(({ object }) => object), misspelt]);
    expect(told).toEqual([expect.stringContaining(`'"specs"' does not exist in type 'INamespace'`)]);
  });

  it.each(objects)("have values that the API accepts, $file: $object.kind", ({ object }) => {
    const { model: Model } = MODELS[object.kind] as (typeof MODELS)[string];
    expect(new Model(object).validate()).toBeUndefined();
  });
});

const guide = fs.readFileSync(path.join(ROOT, "docs/kubernetes.md"), "utf8");

/** Of the guide: its YAML that starts with this remark, without its indentation. */
function blocksOf(remark: string): string[] {
  const blocks = [...guide.matchAll(/^( *)```yaml\n(.*?)^ *```/gms)];
  return blocks
    .map(([, indentation = "", text = ""]) => text.replaceAll(new RegExp(`^${indentation}`, "gm"), ""))
    .filter((text) => text.startsWith(`# ${remark}\n`));
}

/** The API's schemas let unknown fields pass; the compiler does not in a literal. */
function mistyped(manifests: readonly Manifest[]): string[] {
  const name = path.join(ROOT, "test/deploy/manifests.generated.ts");
  const text = manifests
    .map((object, index) => {
      const { from } = MODELS[object.kind] as (typeof MODELS)[string];
      return `export const m${index}: import("${from}").I${object.kind} = ${JSON.stringify(object)};`;
    })
    .join("\n");
  const options = { module: ts.ModuleKind.NodeNext, noEmit: true, skipLibCheck: true, strict: true, types: [] };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => file === name || fileExists(file);
  host.getSourceFile = (file, ...rest) =>
    file === name ? ts.createSourceFile(name, text, ts.ScriptTarget.ESNext) : getSourceFile(file, ...rest);
  const program = ts.createProgram([name], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

describe.skipIf(kubectlMissing)(`kubectl kustomize${kubectlMissing ? ` (skipped: ${kubectlMissing})` : ""}`, () => {
  const kinds = (folder: string) => kustomized(folder).map(({ apiVersion, kind }) => `${apiVersion} ${kind}`);
  const BASE = ["v1 Namespace", "apps/v1 DaemonSet"];
  const admission = (version: string) =>
    ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"].map(
      (kind) => `admissionregistration.k8s.io/${version} ${kind}`,
    );

  it.each([
    ["base", BASE],
    ["overlays/v1", [...BASE, ...admission("v1")]],
    ["overlays/v1beta1", [...BASE, ...admission("v1beta1")]],
    ["overlays/kyverno", [...BASE, "policies.kyverno.io/v1 MutatingPolicy"]],
    ["overlays/monitoring", ["monitoring.coreos.com/v1 PodMonitor"]],
    ["smoke", ["v1 Namespace", "batch/v1 Job"]],
  ])("makes of %s what is named there", (folder, expected) => {
    expect(kinds(folder).sort()).toEqual([...expected].sort());
  });

  it("takes the image of this release, and one registry's for all of them, as docs/kubernetes.md says", () => {
    const images = (folder: string, own = {}) =>
      kustomized(folder, own).flatMap(({ kind, spec }) => {
        if (kind !== "DaemonSet" && kind !== "Job") return [];
        const { initContainers = [], containers } = spec.template.spec;
        return [...initContainers, ...containers].map(({ image }) => image);
      });
    expect([...images("base"), ...images("smoke")]).toEqual(Array(4).fill(`namewell:${version}`));
    const [own = ""] = blocksOf("kustomization.yaml");
    const [{ newName }] = parse(own).images;
    const folder = (text: string) => text.replace(/- (\.\.\/)?namewell\/deploy\/kubernetes\//, "- ../");
    const smoke = own.replace(/- namewell\/.*/, "- ../namewell/deploy/kubernetes/smoke");
    expect([
      ...images("own", { "own/kustomization.yaml": folder(own) }),
      ...images("own", { "own/kustomization.yaml": folder(smoke) }),
    ]).toEqual(Array(4).fill(`${newName}:${version}`));
    expect(guide).toContain(`docker push ${newName}:${version}`);
  });

  it("leaves each file of the folder used", () => {
    const examples = files.filter((file) => !file.startsWith("examples/"));
    const named = fs
      .readdirSync(KUBERNETES, { recursive: true, encoding: "utf8" })
      .filter((file) => path.basename(file) === "kustomization.yaml")
      .flatMap((file) => {
        const { resources } = parse(fs.readFileSync(path.join(KUBERNETES, file), "utf8"));
        return resources.map((name: string) => path.join(path.dirname(file), name));
      });
    expect(examples.filter((file) => !named.includes(file))).toEqual([]);
  });
});

describe("another place of the library, by the patches of docs/kubernetes.md", () => {
  const [text = ""] = blocksOf("patches of your kustomization.yaml");
  const patches: ReadonlyArray<{ target: { kind: string }; patch: string }> = parse(text).patches;
  const replaced = patches.map(({ target, patch }) => {
    const [{ op, path: pointer, value }] = parse(patch);
    return { kind: target.kind, op, value, pointer: pointer.split("/").slice(1) as string[] };
  });

  it("replaces the place on the node, for the server and for pods", () => {
    const place = replaced.map(({ kind, op, pointer, value }) => {
      const { object } = objects.find((other) => other.object.kind === kind) as (typeof objects)[number];
      return { kind, op, value, was: pointer.reduce((inner: Manifest, key: string) => inner[key], object) };
    });
    const elsewhere = "/var/lib/toolbox/namewell";
    expect(place).toEqual([
      { kind: "DaemonSet", op: "replace", was: "/opt/namewell", value: elsewhere },
      { kind: "MutatingAdmissionPolicy", op: "replace", was: "'/opt/namewell'", value: `'${elsewhere}'` },
    ]);
  });

  it("leaves it in pods where it was", () => {
    const [{ spec, ...rest }] = manifestsOf("overlays/v1/policy.yaml");
    const variables = spec.variables.with(0, { ...spec.variables[0], expression: "'/elsewhere'" });
    const bare = { metadata: {}, spec: { containers: [{ name: "web" }] } };
    const stored = admitted({ ...rest, spec: { ...spec, variables } }, bare, { "namewell/inject": "enabled" });
    const { containers, volumes } = stored.spec;
    expect(volumes.map(({ hostPath }: Manifest) => hostPath.path)).toEqual(["/run/namewell", "/elsewhere"]);
    expect(containers[0].volumeMounts[1].mountPath).toBe("/opt/namewell");
  });
});
