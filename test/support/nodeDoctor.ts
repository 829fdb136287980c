// `nodeDoctor.ts BUILD [NAME]`: what `namewell doctor` finds by its environment, as JSON, to be started in a sandbox.
import { doctor } from "../../src/cli/doctor.ts";
import { readConfig } from "../../src/settings/config.ts";

const [build = "", name] = process.argv.slice(2);
const nobody = { addresses: [], listing: { rotate: false, timeoutMs: 5000, attempts: 2 } };
const config = readConfig(process.env, () => nobody);
console.log(JSON.stringify(await doctor({ config, build, name })));
