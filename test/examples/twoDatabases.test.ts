/**
 * The code of the guide that reads from one database and writes to another one, run on every pair of real databases.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Esbuild from "esbuild"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Kind } from "../engine/twoDatabases.js"
import { pairs } from "../engine/twoDatabases.js"
import * as Postgres from "../support/Postgres.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The section's program, and what it prints. */
const guide = (): { readonly code: string; readonly output: string } => {
  const chapter = Fs.readFileSync(Path.join(root, "docs/05-transactions.md"), "utf8")
  const [, code, output] = /## Two databases\n[^]*?```ts run\n([^]*?)```\n\n```text output\n([^]*?)```/.exec(chapter) ??
    []
  assert.ok(code !== undefined && output !== undefined, "the section has a program and its output")
  return { code, output }
}

/** The two lines that a reader of the guide would change. */
const on = (code: string, [shop, warehouse]: readonly [Kind, Kind]): string => {
  const client = (name: string, kind: Kind) =>
    kind === "SQLite"
      ? `SqliteClient.layer({ filename: "${name}.db" })`
      : `PgClient.layerConfig({ url: Config.redacted("${name.toUpperCase()}_URL") })`
  const changed = Object.entries({ shop, warehouse }).reduce((code, [name, kind]) => {
    const line = `const ${name} = ${client(name, "SQLite")}`
    assert.include(code, line)
    return code.replace(line, `const ${name} = ${client(name, kind)}`)
  }, code)
  return `import { PgClient } from "@effect/sql-pg"\nimport { Config } from "effect"\n${changed}`
}

const directory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const cache = Path.join(root, "node_modules/.cache")
    Fs.mkdirSync(cache, { recursive: true })
    return Fs.mkdtempSync(Path.join(cache, "guide-"))
  }),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
)

const printed = (code: string, env: Record<string, string>) =>
  Effect.flatMap(directory, (cwd) =>
    Effect.promise(async () => {
      await Esbuild.build({
        stdin: { contents: code, loader: "ts", resolveDir: cwd },
        outfile: Path.join(cwd, "guide.mjs"),
        bundle: true,
        platform: "node",
        format: "esm",
        target: "node20",
        alias: {
          "effect-batch/sql": Path.join(root, "src/sql/index.ts"),
          "effect-batch": Path.join(root, "src/index.ts")
        },
        external: ["better-sqlite3", "pg-native"],
        banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
        logLevel: "error"
      })
      const { stdout } = await promisify(execFile)(process.execPath, ["guide.mjs"], {
        cwd,
        env: { ...process.env, ...env }
      })
      return stdout
    }))

describe("the program of the guide with two databases", () => {
  for (const pair of pairs) {
    it.scopedLive(`runs with ${pair[0]} and ${pair[1]} (OWN-10)`, () =>
      Effect.gen(function*() {
        const { code, output } = guide()
        const [SHOP_URL, WAREHOUSE_URL] = yield* Effect.all([Postgres.freshUrl, Postgres.freshUrl])
        assert.strictEqual(yield* printed(on(code, pair), { SHOP_URL, WAREHOUSE_URL }), output)
      }), 300_000)
  }
})
