/**
 * `npm run bench` runs all benches, `npm run bench -- engine` one of them. A bench prints ratios between things that
 * were measured side by side in the same run: only those can be compared, absolute times can't.
 */
import { cpus, totalmem } from "node:os"
import { engine } from "./engine.js"

const benches: Readonly<Record<string, () => Promise<void>>> = { engine }

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in benches))
if (unknown.length > 0) {
  process.stderr.write(`There is no bench ${unknown.join(", ")}; there are: ${Object.keys(benches).join(", ")}\n`)
  process.exit(2)
}

const [cpu] = cpus()
process.stdout.write(
  `${cpu?.model.trim() ?? "unknown processor"} × ${cpus().length}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
    `Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}\n`
)
for (const name of wanted.length > 0 ? wanted : Object.keys(benches)) {
  process.stdout.write(`\n## ${name}\n\n`)
  await benches[name]!()
}
