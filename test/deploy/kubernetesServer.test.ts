// deploy/kubernetes/base: the server's pods fit each other's manifests and the cluster, and may do no more than they need.
import { describe, expect, it } from "vitest";
import { selects } from "../support/admission.ts";
import { type Manifest, manifestsOf } from "../support/manifests.ts";

const only = (file: string): Manifest => manifestsOf(file)[0];
const pod = () => only("base/server.yaml").spec.template;

describe("the server's pods", () => {
  it("are found by their own selector and the PodMonitor's, at a port that they have", () => {
    const { metadata, spec } = pod();
    const { selector } = only("base/server.yaml").spec;
    const monitor = only("overlays/monitoring/podmonitor.yaml");
    expect([selects(selector, metadata.labels), selects(monitor.spec.selector, metadata.labels)]).toEqual([true, true]);
    expect(monitor.metadata.namespace).toBe(only("base/server.yaml").metadata.namespace);
    const [server] = spec.containers;
    const [{ port, path: metrics }] = monitor.spec.podMetricsEndpoints;
    const ports = server.ports.map(({ name }: Manifest) => name);
    expect(ports).toEqual([port]);
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      expect(ports).toContain(server[probe].httpGet.port);
    }
    expect(metrics).toBe("/metrics");
    // deploy/prometheus asks for this job.
    expect(metadata.labels[monitor.spec.jobLabel]).toBe("namewell");
  });

  it("have a namespace that lets them mount the host's directories, and takes none of its own preload", () => {
    const { metadata } = only("base/namespace.yaml");
    expect(metadata.name).toBe(only("base/server.yaml").metadata.namespace);
    expect(metadata.labels["pod-security.kubernetes.io/enforce"]).toBe("privileged");
    expect(Object.keys(metadata.labels)).not.toContain("namewell/inject");
  });

  it("ask the cluster's nameserver, as all other pods do", () => {
    const { dnsPolicy, hostNetwork, containers } = pod().spec;
    expect({ dnsPolicy, hostNetwork }).toEqual({ dnsPolicy: "ClusterFirst", hostNetwork: undefined });
    expect(containers[0].env.map(({ name }: Manifest) => name)).not.toContain("DNS_CACHE_UPSTREAMS");
  });

  it("go on every node there is a client.so for, and a tenth at a time", () => {
    const { priorityClassName, tolerations, affinity } = pod().spec;
    expect({ priorityClassName, tolerations }).toEqual({
      priorityClassName: "system-node-critical",
      tolerations: [{ operator: "Exists" }],
    });
    const [{ matchExpressions }] =
      affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms;
    const node = (arch: string, os: string) => ({ "kubernetes.io/arch": arch, "kubernetes.io/os": os });
    const takes = (arch: string, os = "linux") => selects({ matchExpressions }, node(arch, os));
    expect([takes("amd64"), takes("arm64"), takes("s390x"), takes("amd64", "windows")]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(only("base/server.yaml").spec.updateStrategy.rollingUpdate).toEqual({ maxUnavailable: "10%" });
  });

  it("are scraped often enough for the alerts' rates, and keep their node's name as instance over updates", () => {
    const [endpoint] = only("overlays/monitoring/podmonitor.yaml").spec.podMetricsEndpoints;
    expect(endpoint.interval).toBe("30s");
    expect(endpoint.relabelings).toEqual([
      { sourceLabels: ["__meta_kubernetes_pod_node_name"], targetLabel: "instance" },
    ]);
  });

  it("may do no more than their work needs", () => {
    const { initContainers, containers, automountServiceAccountToken, enableServiceLinks } = pod().spec;
    expect({ automountServiceAccountToken, enableServiceLinks }).toEqual({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
    });
    const least = {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      seccompProfile: { type: "RuntimeDefault" },
    };
    const none = { drop: ["ALL"] };
    const root = { ...least, runAsUser: 0, runAsNonRoot: false };
    expect([...initContainers, ...containers].map(({ securityContext }: Manifest) => securityContext)).toEqual([
      { ...root, capabilities: { ...none, add: ["CHOWN"] } },
      { ...root, capabilities: none },
      { ...least, runAsUser: 1000, runAsGroup: 1000, runAsNonRoot: true, capabilities: none },
    ]);
    const user = { ...least, runAsUser: 1000, runAsNonRoot: true, capabilities: none };
    expect(only("smoke/job.yaml").spec.template.spec.containers[0].securityContext).toEqual(user);
  });

  it("start where neither directory is yet, as those do that have them by hand", () => {
    for (const file of ["base/server.yaml", "examples/by-hand.yaml"]) {
      const { volumes } = only(file).spec.template.spec;
      expect(volumes.flatMap(({ hostPath }: Manifest) => hostPath ?? [])).toEqual([
        { path: "/run/namewell", type: "DirectoryOrCreate" },
        { path: "/opt/namewell", type: "DirectoryOrCreate" },
      ]);
    }
  });

  it("have a minute to start, another before they are taken for dead, and time to leave", () => {
    const { containers, terminationGracePeriodSeconds } = pod().spec;
    const [{ startupProbe, livenessProbe }] = containers;
    const patience = ({ periodSeconds, failureThreshold }: Manifest) => periodSeconds * failureThreshold;
    expect([patience(startupProbe), patience(livenessProbe)]).toEqual([60, 60]);
    expect(terminationGracePeriodSeconds).toBe(10);
  });

  it("have the memory they may use, and no limit of their processor", () => {
    const { initContainers, containers } = pod().spec;
    const [{ requests, limits }] = containers.map(({ resources }: Manifest) => resources);
    expect(limits).toEqual({ memory: requests.memory });
    expect(requests.cpu).toBeDefined();
    for (const { resources } of initContainers) expect(resources.limits).toEqual({ memory: "128Mi" }); // Node's needs
  });
});
