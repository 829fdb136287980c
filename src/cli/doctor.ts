// `namewell doctor`, on the node: what keeps the server, its directory and its upstreams from serving. Within a container the
// program that lies beside client.so says the rest (shim/doctor), in the same words and codes.
//
// One file for each group of checks (doctorDirectory.ts, doctorServer.ts, doctorTable.ts, doctorUpstreams.ts,
// doctorOperation.ts); what they find goes into doctorReport.ts, by the codes of doctorCodes.ts.
import { fileURLToPath } from "node:url";
import type { Config } from "../settings/config.ts";
import { checkDirectory } from "./doctorDirectory.ts";
import { checkOperation } from "./doctorOperation.ts";
import { createReport, type Report } from "./doctorReport.ts";
import { checkName, checkServer } from "./doctorServer.ts";
import { checkTable } from "./doctorTable.ts";
import { checkUpstreams } from "./doctorUpstreams.ts";

export { exitCodeOf, type Report, reportText } from "./doctorReport.ts";

export interface DoctorOptions {
  /** As this environment says it; what the running server tells of itself comes before it. */
  readonly config: Config;
  /** Is asked for, over dns.sock. */
  readonly name?: string | undefined;
  /** The folder with the client.so and the doctor of this build. */
  readonly build?: string;
}

export async function doctor({ config, name, build = HERE }: DoctorOptions): Promise<Report> {
  const report = createReport();
  const hasDirectory = checkDirectory(report.group("directory"), config, build);
  const isAlive = await checkServer(report.group("server"), config.directory, hasDirectory);
  const served = checkTable(report.group("table"), config, hasDirectory, isAlive);
  const upstreams = report.group("upstreams");
  if (served === undefined && config.upstreams.length > 0) {
    const who = isAlive ? "the server's table does not say whom it asks" : "no running server says whom it asks";
    upstreams.note(`${who}: these are the ones that this environment names`);
  }
  await checkUpstreams(upstreams, served ?? config.upstreams);
  if (isAlive) await checkOperation(report.group("operation"), config);
  if (name !== undefined && isAlive) await checkName(report.group("name"), config, name);
  return report.end();
}

const HERE = fileURLToPath(new URL(".", import.meta.url)); // of the bundle, dist/
