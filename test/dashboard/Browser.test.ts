/** The dashboard in a real browser. Skipped, with a line that says so, where there is no Chromium. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Flow, ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import { browser, isThere, openPage } from "./browser.js"
import { operator, serve } from "./support.js"

if (!isThere) {
  process.stdout.write("There is no chromium here: the dashboard is not tried in a browser\n")
}

const HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"

/** `hold`: the first step waits for it. `mend`: the second one fails until then. */
const world = Effect.gen(function*() {
  const hold = yield* Deferred.make<void>()
  let isBroken = true
  const job = Job.make(`night run ${HOSTILE}`, {
    flow: Step.chunk(`load ${HOSTILE}`, {
      reader: ItemReader.fromIterable([1, 2, 3].map((n) => ({ n, text: HOSTILE }))),
      processor: (row: { readonly n: number }) =>
        row.n === 2 ? Effect.fail({ _tag: "BadRow" as const, message: HOSTILE }) : Effect.succeed(row),
      writer: ItemWriter.fromFunction((_: ReadonlyArray<unknown>) => Effect.void),
      chunkSize: 2
    }).pipe(
      Step.skip("BadRow", { limit: 5 }),
      Step.quarantine(),
      Flow.andThen(
        Step.tasklet("post", Effect.suspend(() => isBroken ? Effect.fail(`closed ${HOSTILE}`) : Effect.void))
      )
    )
  })
  const slow = Job.make("slow", { flow: Step.tasklet("wait", Deferred.await(hold)) })
  return {
    job,
    slow,
    release: Deferred.succeed(hold, undefined),
    mend: () => {
      isBroken = false
    }
  }
})

const does = (act: () => Promise<unknown>) => Effect.promise(act)

describe.skipIf(!isThere)("in Chromium", () => {
  it.scopedLive("every view can be reached, hostile text is text, and nothing complains; light and dark", () =>
    Effect.gen(function*() {
      const { job, slow } = yield* world
      const { services, url } = yield* serve([job, slow], operator)
      const { id } = yield* Effect.provide(JobOperator.run(job, {}), services)
      const chromium = yield* browser
      const colours: Array<string> = []
      for (const colorScheme of ["light", "dark"] as const) {
        const { complaints, page } = yield* openPage(chromium, { colorScheme, viewport: { width: 390, height: 800 } })
        yield* does(async () => {
          for (const path of ["/", `/executions/${id}`, `/executions/${id}/skipped`, "/executions", "/jobs"]) {
            await page.goto(`${url}${path}`)
            assert.notStrictEqual(await page.title(), "owned")
            assert.strictEqual(await page.locator("img, iframe, main script").count(), 0)
            assert.strictEqual(await page.getByRole("main").count(), 1)
            assert.strictEqual(await page.getByRole("navigation", { name: "Pages" }).count(), 1)
            const isWide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert.isFalse(isWide, `${path} is too wide for a phone`)
          }
          await page.getByRole("link", { name: "Jobs" }).click()
          await page.getByRole("main").getByRole("link", { name: HOSTILE }).click()
          await page.getByRole("img", { name: "The flow of the job" }).waitFor()
          colours.push(await page.evaluate("getComputedStyle(document.body).backgroundColor") as string)
        })
        assert.deepStrictEqual(complaints, [])
      }
      assert.notStrictEqual(colours[0], colours[1])
    }))

  it.scopedLive("with the keyboard alone: find what failed, restart it, see it complete without a reload", () =>
    Effect.gen(function*() {
      const { job, mend, slow } = yield* world
      const { services, url } = yield* serve([job, slow], operator)
      yield* Effect.provide(JobOperator.run(job, {}), services)
      mend()
      const { complaints, page } = yield* openPage(yield* browser)
      yield* does(async () => {
        await page.goto(url)
        await page.getByText("1 thing needs attention.").waitFor()
        await page.keyboard.press("Tab")
        assert.strictEqual(await page.evaluate("document.activeElement.textContent"), "Skip to content")
        const press = async (isIt: string) => {
          for (let step = 0; step < 30 && !await page.evaluate(isIt); step++) {
            await page.keyboard.press("Tab")
          }
          assert.isTrue(await page.evaluate(isIt), isIt)
          await page.keyboard.press("Enter")
        }
        await press("document.activeElement.id.startsWith('restart-')")
        await page.waitForURL("**/executions/*")
        await page.getByRole("status").getByText("COMPLETED", { exact: true }).first().waitFor()
        await press("document.activeElement.textContent === 'Now'")
        await page.getByText("Nothing.", { exact: true }).waitFor()
      })
      assert.deepStrictEqual(complaints, [])
    }))

  it.scopedLive("two viewers: what one does, the other sees; the page that is out of date is told so", () =>
    Effect.gen(function*() {
      const { release, slow } = yield* world
      const { services, url } = yield* serve([slow], operator)
      const chromium = yield* browser
      const running = yield* Effect.provide(JobOperator.start(slow, {}), services)
      const path = `${url}/executions/${running.execution.id}`
      const [ada, bob] = [yield* openPage(chromium), yield* openPage(chromium, { javaScriptEnabled: false })]
      yield* does(async () => {
        await ada.page.goto(path)
        await bob.page.goto(path)
        await bob.page.getByRole("button", { name: "Stop" }).click()
        await ada.page.getByText("asked for stop: done").waitFor()
        await bob.page.goto(path)
      })
      yield* release
      yield* running.await
      yield* does(async () => {
        await ada.page.getByText("Give up…").waitFor()
        await bob.page.getByRole("button", { name: "Stop" }).click()
        await bob.page.getByRole("alert").filter({ hasText: "is not running" }).waitFor()
        await bob.page.getByText("is now STOPPED").waitFor()
      })
    }))

  it.scopedLive("a read-only viewer has no button; a job is run from its form by an operator", () =>
    Effect.gen(function*() {
      const { job, mend, slow } = yield* world
      mend()
      const { services, url } = yield* serve([job, slow], {
        access: ({ headers }) => Effect.succeed(headers["x-user"] === "ada" ? "operate" : "read")
      })
      const chromium = yield* browser
      const viewer = yield* openPage(chromium)
      const ada = yield* openPage(chromium, { extraHTTPHeaders: { "x-user": "ada" } })
      const path = `${url}/jobs/${encodeURIComponent(job.name)}`
      yield* does(async () => {
        await viewer.page.goto(path)
        assert.strictEqual(await viewer.page.getByRole("button").count(), 0)
        await viewer.page.getByText("(read only)").waitFor()
        await ada.page.goto(path)
        await ada.page.getByRole("button", { name: "Run" }).click()
        await ada.page.waitForURL("**/executions/*")
        await ada.page.getByRole("status").getByText("COMPLETED", { exact: true }).first().waitFor()
        await viewer.page.getByText("The last 1 executions").waitFor()
      })
      const executions = yield* Effect.provide(
        Effect.flatMap(JobRepository.JobRepository, (repository) => repository.jobExecutions({})),
        services
      )
      assert.lengthOf(executions, 1)
    }))
})
