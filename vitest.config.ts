import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Every entry point of the package, from the source instead of the built files. */
const entryPoints: Record<string, { readonly default?: string }> = JSON.parse(
  readFileSync(here("package.json"), "utf8")
).exports

const alias = Object.entries(entryPoints).flatMap(([name, { default: file }]) =>
  file === undefined ? [] : [{
    find: new RegExp(`^effect-batch${name.slice(1)}$`),
    replacement: here(file.replace("./dist/", "./src/").replace(/\.js$/, ".ts"))
  }]
)

export default defineConfig({
  resolve: { alias },
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    setupFiles: ["test/support/setup.ts"],
    pool: "forks",
    // The files that a process runs share what it has loaded: to load Effect for each of them took a quarter of the time.
    poolOptions: { forks: { minForks: 1, maxForks: 2, isolate: false } },
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 60_000
  }
})
