/**
 * The pictures of the README, taken of the football job: `npm run pictures` writes them. Everywhere else the pages that they
 * show are looked at, so that no picture outlives its page.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { footballJob } from "../../examples/01-football/job.js"
import * as Tables from "../../examples/01-football/tables.js"
import { JobOperator, JobRegistry } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Sqlite from "../support/Sqlite.js"
import { browser, isThere, openPage } from "./browser.js"
import { operator, serve } from "./support.js"

const folder = fileURLToPath(new URL("../../docs/images/", import.meta.url))
const isWriting = process.env["EFFECT_BATCH_PICTURES"] === "write"

/** One season is complete, the next one has failed. */
const seasons = (file: string) =>
  Effect.gen(function*() {
    yield* Tables.create
    const complete = yield* JobRegistry.run("football", { season: "2013", file })
    const failed = yield* JobRegistry.run("football", { season: "2014", file, fail: "true" })
    assert.deepStrictEqual([complete.status, failed.status], ["COMPLETED", "FAILED"])
    return failed.id
  })

describe.skipIf(!isThere)("pictures", () => {
  it.scopedLive(
    "the dashboard and the report of a failed season show its cause, its flow and what a restart would do",
    () =>
      Effect.gen(function*() {
        const job = footballJob({ chunkSize: 100, listener: {} })
        const file = "node_modules/vega-datasets/data/football.json"
        const client = yield* Layer.build(Layer.mergeAll(Sqlite.layer, NodeFileSystem.layer))
        const world = Layer.succeedContext(client)
        const { services, url } = yield* Effect.provide(
          serve([job], operator, Layer.provideMerge(SqlJobRepository.layer, world)),
          world
        )
        const id = yield* Effect.provide(Effect.provide(seasons(file), services), world)
        const report = yield* Effect.provide(JobOperator.report(id, { job }), services)
        const { complaints, page } = yield* openPage(yield* browser, { viewport: { width: 1100, height: 900 } })
        yield* Effect.promise(async () => {
          await page.goto(`${url}/executions/${id}`)
          await page.getByText("ScorerAsleep").first().waitFor()
          await page.getByText("seasonSummary: resume").waitFor()
          const dashboard = await page.screenshot()
          // From a file, as from a mail.
          const mailed = join(mkdtempSync(join(tmpdir(), "report-")), "run.html")
          writeFileSync(mailed, report)
          await page.goto(pathToFileURL(mailed).href)
          await page.getByText("Control totals").waitFor()
          const printed = await page.screenshot()
          if (isWriting) {
            mkdirSync(folder, { recursive: true })
            writeFileSync(`${folder}dashboard.png`, dashboard)
            writeFileSync(`${folder}report.png`, printed)
          }
        })
        assert.deepStrictEqual(complaints, [])
      }),
    300_000
  )
})
