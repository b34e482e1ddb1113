import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^effect-batch$/, replacement: source("index.ts") },
      { find: /^effect-batch\/(sql|file|testing|cli)$/, replacement: source("$1/index.ts") },
      { find: /^effect-batch\/testing\/JobRepositorySuite$/, replacement: source("testing/JobRepositorySuite.ts") }
    ]
  },
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    setupFiles: ["test/support/setup.ts"],
    pool: "forks",
    poolOptions: { forks: { minForks: 1, maxForks: 2 } },
    testTimeout: 90_000,
    hookTimeout: 60_000
  }
})
