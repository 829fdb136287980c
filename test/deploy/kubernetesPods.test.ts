// deploy/kubernetes: what the pods run is run here, as their users and with their capabilities, on a machine whose /run is
// noexec, as a node's is. A kubelet is not at hand: the directories are made, and the mounts in place, as it would have them.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { admitted } from "../support/admission.ts";
import { type Manifest, manifestsOf } from "../support/manifests.ts";
import { otherUsersMissing, type Result, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NODE = "192.0.2.200";
const SERVICE = "10.96.0.1";
const ZONE = JSON.stringify({ "kubernetes.default.svc.cluster.local": { A: [SERVICE] } });
const RESOLV_CONF = `nameserver ${NODE}
search namewell-smoke.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
`;
// What lies in /opt stays reachable: Node may.
const HOST = `
mount -t tmpfs -o noexec,mode=755 tmpfs /run && mkdir /run/opt && mount --rbind /opt /run/opt
mount -t tmpfs -o mode=755 tmpfs /opt
for folder in /run/opt/*/; do
  if [ -d "$folder" ]; then mkdir -p "/opt/\${folder#/run/opt/}" && mount --rbind "$folder" "/opt/\${folder#/run/opt/}"; fi
done
mkdir -m 755 /run/namewell /opt/namewell && mkdir -m 777 /run/control`;

// Again and again, as a kubelet does: HTTP is another thread's, and may come after the socket.
const PROBE = `
  const probe = (left) => fetch(process.argv[1]).then(
    ({ status }) => console.log(status),
    ({ cause }) => (left > 0 ? setTimeout(probe, 50, left - 1) : console.error(cause.message)),
  );
  probe(200);
`;

const server = manifestsOf("base/server.yaml")[0].spec.template.spec;
const [smokeNamespace] = manifestsOf("smoke/namespace.yaml");
const [smokeJob] = manifestsOf("smoke/job.yaml");
const [policy] = manifestsOf("overlays/v1/policy.yaml");

/** The image's own environment. */
const IMAGE = [{ name: "DNS_CACHE_DIR", value: "/dns_cache" }];

const missing = sandboxMissing() ?? otherUsersMissing();

/** As a container's first process, with its user, its capabilities and its environment. */
function command({ command, args = [], env = [], securityContext: { runAsUser, capabilities } }: Manifest): string[] {
  const kept = (capabilities.add ?? []).map((name: string) => `+${name.toLowerCase()}`);
  const user = [`--reuid=${runAsUser}`, `--regid=${runAsUser}`, "--clear-groups"];
  const bound = `--bounding-set=${["-all", ...kept].join(",")}`;
  const variables = [...IMAGE, ...env].map(({ name, value }: Manifest) => `${name}=${value}`);
  const inside = ["setpriv", ...user, "--no-new-privs", bound, "env", `--chdir=${ROOT}`, ...variables];
  return ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", ...inside, ...command, ...args];
}

describe.skipIf(missing)(`on a node${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let box: Sandbox;
  const initialized: Result[] = [];
  beforeAll(async () => {
    box = await sandbox({ resolvConf: RESOLV_CONF });
    const { code, stderr } = await box.run(["sh", "-ec", HOST]);
    if (code !== 0) throw new Error(stderr);
    await box.startModule(`${ROOT}/test/support/zoneUpstream.ts`, [NODE, ZONE], { ready: /ready/ });
    for (const container of server.initContainers) initialized.push(await box.run(command(container)));
    const [container] = server.containers;
    await box.start(command({ ...container, command: ["node", "dist/server.js"] }), { ready: /[Ll]istening/ });
  }, 60_000);
  afterAll(() => box?.close());

  it("the init containers give the server its directory and put client.so where it can be loaded from", async () => {
    expect(initialized).toMatchObject(server.initContainers.map(() => ({ code: 0, stderr: "" })));
    const { stdout } = await box.run(["stat", "-c", "%n %u %a", "/run/namewell", "/opt/namewell/client.so"]);
    expect(stdout).toBe("/run/namewell 1000 755\n/opt/namewell/client.so 0 555\n");
  });

  it("control.sock is where no other pod has it", async () => {
    const [{ env, volumeMounts }] = server.containers;
    const control = env.find(({ name }: Manifest) => name === "DNS_CACHE_CONTROL").value;
    const { name } = volumeMounts.find(({ mountPath }: Manifest) => path.dirname(control) === mountPath);
    expect(server.volumes.find((volume: Manifest) => volume.name === name).emptyDir).toBeDefined();
    const { stdout } = await box.run(["sh", "-c", `until [ -S ${control} ]; do sleep 0.05; done; ls /run/namewell`]);
    expect(stdout.split("\n")).not.toContain("control.sock");
  });

  it.each(["startupProbe", "livenessProbe", "readinessProbe"])("the server passes its %s", async (name) => {
    const [{ [name]: probe, ports }] = server.containers;
    const { containerPort } = ports.find((port: Manifest) => port.name === probe.httpGet.port);
    const url = `http://${NODE}:${containerPort}${probe.httpGet.path}`;
    expect(await box.run(["node", "--eval", PROBE, url])).toMatchObject({ stdout: "200\n", stderr: "" });
  });

  it("the server finds client.so where programs can load it, whatever its own directory is", async () => {
    const script = `fetch(process.argv[1]).then(async (reply) => console.log(await reply.text()))`;
    const { stdout } = await box.run(["node", "--eval", script, `http://${NODE}:9953/metrics`]);
    expect(stdout).toMatch(/^namewell_directory_noexec 0$/m);
    expect(stdout).toMatch(/^namewell_library_installed\{.*\} 1$/m);
  });

  describe("the smoke test", () => {
    const template = smokeJob.spec.template;
    const pod = { ...template, metadata: template.metadata ?? {} };
    const run = (spec: Manifest) => box.run(command(spec.containers[0]));

    it("finds that an injected pod is served", async () => {
      expect(smokeJob.metadata.namespace).toBe(smokeNamespace.metadata.name);
      expect([smokeJob.spec.backoffLimit, template.spec.restartPolicy]).toEqual([0, "Never"]); // one pod, one log
      const injected = admitted(policy, pod, smokeNamespace.metadata.labels);
      const { code, stdout, stderr } = await run(injected.spec);
      expect({ code, stderr, stdout }).toMatchObject({ code: 0, stderr: "" });
      expect(stdout).toMatch(new RegExp(`^${SERVICE}\n`));
      expect(stdout).toContain("/node) has /opt/namewell/client.so loaded");
      expect(stdout).toContain("kubernetes.default.svc.cluster.local is in the table, found within");
    });

    it("fails in a pod that is not", async () => {
      const { code, stdout } = await run(pod.spec);
      expect(code).toBe(1);
      expect(stdout).toContain("NW-102");
    });

    it("says so where nothing is mounted", async () => {
      const text = template.spec.containers[0].args[0].replaceAll("/opt/namewell", "/opt/nothing");
      const bare = { ...template.spec.containers[0], args: [text] };
      const { code, stdout } = await run({ containers: [bare] });
      expect(code).toBe(1);
      expect(stdout).toContain("Not injected: spawnSync /opt/nothing/doctor ENOENT");
    });
  });
});
