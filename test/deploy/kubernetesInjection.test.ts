// deploy/kubernetes: what the policies make of pods, and that what they add is what an example adds by hand.
import { Pod } from "kubernetes-models/v1";
import { describe, expect, it } from "vitest";
import { admitted } from "../support/admission.ts";
import { type Manifest, manifestsOf } from "../support/manifests.ts";

const CLIENT = "/opt/namewell/client.so";
const POLICIES = ["v1", "v1beta1", "kyverno"] as const;
const policyOf = (overlay: string) => manifestsOf(`overlays/${overlay}/policy.yaml`)[0];
const JOINED = { "namewell/inject": "enabled" };
const [exampleDeployment] = manifestsOf("examples/by-hand.yaml");
const example = exampleDeployment.spec.template;

const MOUNTS = [
  { name: "namewell-table", mountPath: "/run/namewell", readOnly: true },
  { name: "namewell-library", mountPath: "/opt/namewell", readOnly: true },
];
const VOLUMES = [
  { name: "namewell-table", hostPath: { path: "/run/namewell", type: "DirectoryOrCreate" } },
  { name: "namewell-library", hostPath: { path: "/opt/namewell", type: "DirectoryOrCreate" } },
];

const EVICTABLE = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";
const OURS = "namewell-table,namewell-library";

function podOf(containers: Manifest[], spec: Manifest = {}, metadata: Manifest = {}): Manifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "shop", ...metadata },
    spec: { ...spec, containers },
  };
}
const web = (fields: Manifest = {}) => ({ name: "web", image: "php:8.4-fpm", ...fields });
const preload = (value: string) => ({ name: "LD_PRELOAD", value });

describe.each(POLICIES)("the policy of overlay %s", (overlay) => {
  const policy = policyOf(overlay);
  const stored = (pod: Manifest, labels: Readonly<Record<string, string>> = JOINED) => {
    new Pod(pod).validate();
    const result = admitted(policy, pod, labels);
    new Pod(result).validate();
    return result;
  };
  const injected = (fields: Manifest, before = "") => ({
    ...fields,
    env: [...(fields.env ?? []).filter(({ name }: Manifest) => name !== "LD_PRELOAD"), preload(before + CLIENT)],
    volumeMounts: [...(fields.volumeMounts ?? []), ...MOUNTS],
  });

  it("gives a container without an environment the preload, and both directories read-only", () => {
    expect(stored(podOf([web()])).spec).toEqual({ containers: [injected(web())], volumes: VOLUMES });
  });

  it("keeps what a container has besides", () => {
    const own = web({
      env: [
        { name: "LANG", value: "C" },
        { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
      ],
      volumeMounts: [{ name: "cache", mountPath: "/run" }],
    });
    const volumes = [{ name: "cache", emptyDir: {} }];
    expect(stored(podOf([own], { volumes })).spec).toEqual({
      containers: [injected(own)],
      volumes: [...volumes, ...VOLUMES],
    });
  });

  it("puts client.so behind what is preloaded already, and takes an empty preload for none", () => {
    const jemalloc = web({ env: [preload("libjemalloc.so.2")] });
    expect(stored(podOf([jemalloc])).spec.containers).toEqual([injected(jemalloc, "libjemalloc.so.2:")]);
    for (const env of [[preload("")], [{ name: "LD_PRELOAD" }]]) {
      expect(stored(podOf([web({ env })])).spec.containers).toEqual([injected(web({ env }))]);
    }
  });

  it("leaves a container alone whose preload comes from elsewhere, or is named twice", () => {
    const valueFrom = { configMapKeyRef: { name: "preloads", key: "web" } };
    const elsewhere = podOf([web({ env: [{ name: "LD_PRELOAD", valueFrom }] })]);
    expect(stored(elsewhere)).toEqual(elsewhere);
    const twice = podOf([web({ env: [preload("a.so"), preload("b.so")] })]);
    expect(stored(twice)).toEqual(twice);
  });

  it("leaves a container alone that has something mounted in the way", () => {
    const mounts = [
      { name: "own", mountPath: "/run/namewell" },
      { name: "own", mountPath: "/opt/namewell" },
      { name: "own", mountPath: "/run", readOnly: true },
      { name: "own", mountPath: "/opt", readOnly: true },
    ];
    for (const mount of mounts) {
      const pod = podOf([web({ volumeMounts: [mount] })], { volumes: [{ name: "own", emptyDir: {} }] });
      expect(stored(pod)).toEqual(pod);
    }
  });

  it("reaches each container and init container, and leaves the others beside it alone", () => {
    const alone = web({ name: "alone", env: [{ name: "LD_PRELOAD", valueFrom: { fieldRef: { fieldPath: "a" } } }] });
    const migrate = web({ name: "migrate", env: [preload("libjemalloc.so.2")] });
    const sidecar = web({ name: "sidecar", restartPolicy: "Always" });
    const containers = [web(), alone, web({ name: "php" })];
    const spec = stored(podOf(containers, { initContainers: [migrate, sidecar] })).spec;
    expect(spec.containers).toEqual([injected(web()), alone, injected(web({ name: "php" }))]);
    expect(spec.initContainers).toEqual([injected(migrate, "libjemalloc.so.2:"), injected(sidecar)]);
    expect(spec.volumes).toEqual(VOLUMES);
  });

  it("changes nothing the second time, but for containers that came in between", () => {
    const once = stored(podOf([web()]));
    expect(stored(once)).toEqual(once);
    const later = stored({
      ...once,
      spec: { ...once.spec, containers: [...once.spec.containers, web({ name: "b" })] },
    });
    expect(later.spec).toEqual({ containers: [injected(web()), injected(web({ name: "b" }))], volumes: VOLUMES });
  });

  it("adds what the example has by hand, and nothing to it", () => {
    const { env, volumeMounts, ...bare } = example.spec.containers[0];
    expect({ env, volumeMounts, volumes: example.spec.volumes }).toEqual({
      env: [preload(CLIENT)],
      volumeMounts: MOUNTS,
      volumes: VOLUMES,
    });
    expect(stored(podOf([bare])).spec).toEqual(example.spec);
    const byHand = podOf(example.spec.containers, example.spec);
    expect(stored(byHand)).toEqual(byHand);
    const labelled = podOf([web()], {}, example.metadata);
    expect(stored(labelled)).toEqual(labelled);
  });

  it("names its volumes to the cluster autoscaler as none that hold a node back", () => {
    const annotated = (annotations?: Manifest) => stored(podOf([web()], {}, { annotations })).metadata.annotations;
    expect(annotated({ a: "b" })).toEqual({ a: "b", [EVICTABLE]: OURS });
    expect(annotated({ [EVICTABLE]: "tmp" })).toEqual({ [EVICTABLE]: `tmp,${OURS}` });
    const once = stored(podOf([web()], {}, { annotations: { [EVICTABLE]: "tmp" } }));
    const later = stored({
      ...once,
      spec: { ...once.spec, containers: [...once.spec.containers, web({ name: "b" })] },
    });
    expect(later.metadata).toEqual(once.metadata);
    expect(example.metadata.annotations).toEqual({ [EVICTABLE]: OURS });
  });

  it("is for namespaces that opt in and may have volumes of the host", () => {
    const pod = podOf([web()]);
    const enforced = (level: string) => ({ ...JOINED, "pod-security.kubernetes.io/enforce": level });
    for (const labels of [{}, { "namewell/inject": "disabled" }, enforced("baseline"), enforced("restricted")]) {
      expect({ labels, pod: stored(pod, labels) }).toEqual({ labels, pod });
    }
    expect(stored(pod, enforced("privileged"))).not.toEqual(pod);
  });

  it("leaves a pod alone that opts out, is a static pod's picture, or is none of Linux", () => {
    for (const pod of [
      podOf([web()], {}, { labels: { "namewell/inject": "disabled" } }),
      podOf([web()], {}, { annotations: { "kubernetes.io/config.mirror": "0" } }),
      podOf([web()], { os: { name: "windows" } }),
      podOf([web()], { nodeSelector: { "kubernetes.io/os": "windows" } }),
    ]) {
      expect(stored(pod)).toEqual(pod);
    }
    const linux = { os: { name: "linux" }, nodeSelector: { "kubernetes.io/os": "linux", disk: "ssd" } };
    for (const pod of [podOf([web()], linux), podOf([web()], {}, { annotations: { a: "b" }, labels: { a: "b" } })]) {
      expect(stored(pod).spec.volumes).toEqual(VOLUMES);
    }
  });

  it("leaves a pod of a runtime class alone unless it asks for the cache", () => {
    const sandboxed = podOf([web()], { runtimeClassName: "gvisor" });
    expect(stored(sandboxed)).toEqual(sandboxed);
    const other = podOf([web()], { runtimeClassName: "gvisor" }, { labels: { a: "b" } });
    expect(stored(other)).toEqual(other);
    const asking = podOf([web()], { runtimeClassName: "nvidia" }, { labels: JOINED });
    expect(stored(asking).spec.volumes).toEqual(VOLUMES);
  });

  it("leaves a pod alone that uses the volumes' names for something else", () => {
    for (const { name } of VOLUMES) {
      const pod = podOf([web()], { volumes: [{ name, emptyDir: {} }] });
      expect(stored(pod)).toEqual(pod);
    }
  });
});

describe("the policies", () => {
  const { apiVersion: _, ...v1 } = policyOf("v1");

  it("are one, in three API versions", () => {
    const { apiVersion: beta, ...v1beta1 } = policyOf("v1beta1");
    expect({ beta, v1beta1 }).toEqual({ beta: "admissionregistration.k8s.io/v1beta1", v1beta1: v1 });
    const { autogen, ...kyverno } = policyOf("kyverno").spec;
    expect(kyverno).toEqual(v1.spec);
    // What makes pods is not changed: its author would find a difference that is not his.
    expect(autogen).toEqual({ podControllers: { controllers: [] } });
  });

  it("are for new pods alone, and never keep one from being made", () => {
    const { failurePolicy, matchConstraints } = v1.spec;
    expect(failurePolicy).toBe("Ignore");
    expect(matchConstraints.resourceRules).toEqual([
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] },
    ]);
  });

  it("are bound, where the API server wants it", () => {
    for (const overlay of ["v1", "v1beta1"]) {
      const [policy, binding] = manifestsOf(`overlays/${overlay}/policy.yaml`);
      expect(binding).toMatchObject({
        apiVersion: policy.apiVersion,
        kind: "MutatingAdmissionPolicyBinding",
        spec: { policyName: policy.metadata.name },
      });
    }
  });
});
