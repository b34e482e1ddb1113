/**
 * Writes the entry points of package.json: one per index.ts of the source, and one per module that it exports, so that
 * `import * as Step from "effect-batch/Step"` loads no more than it needs.
 *
 *   node scripts/exports.mjs            writes them
 *   node scripts/exports.mjs --check    fails when package.json says anything else
 */
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("..", import.meta.url)
const manifest = fileURLToPath(new URL("package.json", root))

/** Entry points that no index.ts exports: they need packages that most users of the index do not have. */
const ALONE = ["testing/JobRepositorySuite"]

const entry = (file) => ({ types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` })

/** The entry points of a folder: its index, and each namespace that this exports. */
const entriesOf = (folder, name) => {
  const index = Fs.readFileSync(new URL(`src/${folder}index.ts`, root), "utf8")
  const modules = [...index.matchAll(/^export (?:type )?\* as (\w+) from "\.\/(.+)\.js"$/gm)]
  return [
    [name, entry(`${folder}index`)],
    ...modules.map(([, module, file]) => [`${name}/${module}`, entry(`${folder}${file}`)])
  ]
}

export const entryPoints = () =>
  Object.fromEntries([
    ...entriesOf("", "."),
    ...["sql/", "file/", "api/", "dashboard/", "watch/", "cli/", "cluster/", "testing/"].flatMap((folder) =>
      entriesOf(folder, `./${folder.slice(0, -1)}`)
    ),
    ...ALONE.map((file) => [`./${file}`, entry(file)]),
    ["./package.json", "./package.json"]
  ])

const text = Fs.readFileSync(manifest, "utf8")
const written = `${JSON.stringify({ ...JSON.parse(text), exports: entryPoints() }, null, 2)}\n`
if (process.argv[2] !== "--check") {
  Fs.writeFileSync(manifest, written)
} else if (written !== text) {
  console.error("package.json does not export what the source does: npm run exports")
  process.exitCode = 1
}
