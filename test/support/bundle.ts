/**
 * Compiles programs that tests run as processes of their own.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Esbuild from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

/**
 * Makes one file of a program, because a process that loads a thousand modules takes longer to start than it runs. The
 * file lies inside the package, from where native dependencies are found, until the scope closes.
 */
export const bundle = (entry: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const cache = Path.join(root, "node_modules/.cache")
      Fs.mkdirSync(cache, { recursive: true })
      const outfile = Path.join(Fs.mkdtempSync(Path.join(cache, "program-")), "program.mjs")
      await Esbuild.build({
        entryPoints: [entry],
        outfile,
        tsconfig: Path.join(root, "tsconfig.json"),
        bundle: true,
        platform: "node",
        format: "esm",
        target: "node20",
        external: ["better-sqlite3", "pg-native"],
        // CommonJS packages in an ES module.
        banner: {
          js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);"
        },
        plugins: planted(),
        logLevel: "error"
      })
      return outfile
    }),
    (file) => Effect.sync(() => Fs.rmSync(Path.dirname(file), { recursive: true, force: true }))
  )

/** Of `npm run mutants`: the mutant that this worker has in its modules is in the program, too. */
const planted = (): Array<Esbuild.Plugin> => {
  const mutant = process.env["EFFECT_BATCH_MUTANT"]
  if (mutant === undefined || !Fs.existsSync(mutant)) return []
  const { file, text }: { readonly file?: string; readonly text?: string } = JSON.parse(Fs.readFileSync(mutant, "utf8"))
  return file === undefined || text === undefined ? [] : [{
    name: "mutant",
    setup: (build) =>
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => path === file ? { contents: text, loader: "ts" } : undefined)
  }]
}
