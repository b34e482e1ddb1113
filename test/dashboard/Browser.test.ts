/** The dashboard in a real browser. Skipped, with a line that says so, where there is no Chromium. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import {
  BatchError,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRegistry,
  JobRepository,
  Step
} from "../../src/index.js"
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

  it.scopedLive("with the keyboard alone: recover what died, run what was skipped again, give up what is hopeless", () =>
    Effect.gen(function*() {
      const { job, slow } = yield* world
      const { services, url } = yield* serve([job, slow], operator)
      const repository = Context.get(services, JobRepository.JobRepository)
      const dead = yield* repository.launch({
        jobName: "slow",
        parameters: [],
        restartable: true,
        owner: "gone",
        leaseMillis: 1,
        isOwnerGone: () => false
      })
      const convert = Job.make("convert", {
        flow: Step.chunk("convert", {
          reader: ItemReader.fromIterable([1, 2]),
          processor: (n: number) => n === 1 && isBroken ? Effect.fail({ _tag: "NoRate" as const }) : Effect.succeed(n),
          writer: ItemWriter.discard,
          chunkSize: 5
        }).pipe(Step.skip("NoRate", { limit: 1 }), Step.quarantine({ input: Schema.Number }))
      })
      let isBroken = true
      yield* Effect.provide(
        Effect.flatMap(JobRegistry.JobRegistry, (registry) => registry.register(convert)),
        services
      )
      const skipping = yield* Effect.provide(JobOperator.run(convert, {}), services)
      isBroken = false
      const hopeless = yield* Effect.provide(JobOperator.run(job, {}), services)
      const { complaints, page } = yield* openPage(yield* browser)
      const press = async (isIt: string, key = "Enter") => {
        for (let step = 0; step < 60 && !await page.evaluate(isIt); step++) {
          await page.keyboard.press("Tab")
        }
        assert.isTrue(await page.evaluate(isIt), isIt)
        await page.keyboard.press(key)
      }
      yield* does(async () => {
        await page.goto(url)
        await page.getByText("its process died").waitFor()
        await press(`document.activeElement.id === 'recover-${dead.id}'`)
        await page.waitForURL(`**/executions/${dead.id}`)
        await page.getByText("OWNER_DIED").first().waitFor()
        await page.getByText("asked for recover: done").waitFor()

        await page.goto(`${url}/executions/${skipping.id}`)
        await press("document.activeElement.id === 'replay'")
        await page.waitForURL((address) => !address.pathname.endsWith(`/${skipping.id}`))
        await page.getByRole("heading", { name: "convert (replay)" }).waitFor()
        await page.getByRole("status").getByText("COMPLETED", { exact: true }).first().waitFor()

        await page.goto(`${url}/executions/${hopeless.id}`)
        await press("document.activeElement.tagName === 'SUMMARY'")
        await page.getByText("then never run again").waitFor()
        await press("document.activeElement.id === 'abandon'")
        await page.getByRole("status").getByText("ABANDONED", { exact: true }).first().waitFor()
        assert.strictEqual(await page.getByRole("button").count(), 0, "nothing is left to do")
      })
      assert.deepStrictEqual(complaints, [])
    }))

  it.scopedLive("every link of every page leads to a page, and none to elsewhere; what is bold on which ground can be read", () =>
    Effect.gen(function*() {
      const { job, slow } = yield* world
      const dots = Job.make("..", { flow: Step.tasklet("one", Effect.void) })
      const { services, url } = yield* serve([job, slow, dots], operator)
      yield* Effect.provide(JobOperator.run(job, {}), services)
      yield* Effect.provide(JobOperator.run(dots, {}), services)
      const chromium = yield* browser
      for (const colorScheme of ["light", "dark"] as const) {
        const { complaints, page } = yield* openPage(chromium, { colorScheme })
        yield* does(async () => {
          const known = new Set(["/"])
          for (const path of known) {
            const answer = await page.goto(`${url}${path}`)
            assert.strictEqual(answer!.status(), 200, path)
            const links = await page.locator("a[href]").evaluateAll((all: ReadonlyArray<{ readonly href: string }>) =>
              all.map(({ href }) => href)
            )
            for (const link of links) {
              const to = new URL(link)
              assert.strictEqual(to.origin, url, link)
              if (!to.pathname.endsWith("/report") && known.size < 40) {
                known.add(`${to.pathname}${to.search}`)
              }
            }
            assert.isAtLeast(await page.evaluate(CONTRAST) as number, 4.5, `contrast on ${path}, ${colorScheme}`)
          }
          assert.isAbove(known.size, 6)
          assert.isTrue([...known].some((path) => path.includes("/jobs/~..")))
        })
        assert.deepStrictEqual(complaints, [])
      }
    }))

  it.scopedLive("a form whose token was forged, or is of another viewer, does nothing and says so", () =>
    Effect.gen(function*() {
      const { job } = yield* world
      const { services, url } = yield* serve([job], operator)
      const { id } = yield* Effect.provide(JobOperator.run(job, {}), services)
      const chromium = yield* browser
      const [ada, eve] = [yield* openPage(chromium), yield* openPage(chromium)]
      yield* does(async () => {
        await ada.page.goto(`${url}/executions/${id}`)
        await eve.page.goto(`${url}/executions/${id}`)
        const theirs = await eve.page.locator("input[name=token]").first().getAttribute("value")
        for (const token of ["forged", theirs!]) {
          await ada.page.goto(`${url}/executions/${id}`)
          await ada.page.evaluate(
            `document.querySelectorAll("input[name=token]").forEach((input) => input.value = ${JSON.stringify(token)})`
          )
          await ada.page.getByRole("button", { name: "Restart" }).click()
          await ada.page.getByRole("alert").filter({ hasText: "Nothing was done" }).waitFor()
        }
      })
      const { status } = yield* Effect.provide(JobOperator.execution(id), services)
      assert.strictEqual(status, "FAILED")
      assert.lengthOf(yield* Effect.provide(JobOperator.executions(), services), 1)
    }))

  it.scopedLive("a page behind a database that is away says so, and is right again when it is back, without a reload", () =>
    Effect.gen(function*() {
      const { job, mend } = yield* world
      mend()
      const memory = yield* Layer.build(JobRepository.layerMemory)
      let isAway = false
      const away = new BatchError.JobRepositoryError({
        operation: "look",
        reason: "transient",
        detail: "connection refused"
      })
      const flaky = Layer.effect(
        JobRepository.JobRepository,
        Effect.map(JobRepository.JobRepository, (service) => ({
          ...service,
          jobExecutions: (filter: Parameters<typeof service.jobExecutions>[0]) =>
            Effect.suspend(() => isAway ? Effect.fail(away) : service.jobExecutions(filter))
        }))
      ).pipe(Layer.provideMerge(Layer.succeedContext(memory)))
      const { services, url } = yield* serve([job], operator, flaky)
      const { page } = yield* openPage(yield* browser)
      yield* does(async () => {
        await page.goto(url)
        await page.getByText("Nothing runs.").waitFor()
        isAway = true
        await page.getByRole("alert").filter({ hasText: "connection refused" }).waitFor()
      })
      isAway = false
      const { id } = yield* Effect.provide(JobOperator.run(job, {}), services)
      yield* does(async () => {
        await page.getByRole("link", { name: String(id), exact: true }).first().waitFor()
        assert.strictEqual(await page.getByRole("alert").filter({ hasText: "connection refused" }).count(), 0)
      })
    }))
})

/** The least contrast of any text that is shown, as WCAG counts it. */
const CONTRAST = `(() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number)
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0)
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor)
      if (colour.length < 4 || colour[3] > 0) return colour
    }
    return [255, 255, 255]
  }
  let least = 21
  for (const element of document.querySelectorAll("main *, nav *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")
    if (!hasText || element.closest("svg") || element.offsetParent === null) continue
    const [one, two] = [light(rgb(getComputedStyle(element).color)), light(ground(element))]
    least = Math.min(least, (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05))
  }
  return least
})()`
