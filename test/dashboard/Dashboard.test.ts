/** The dashboard, asked by HTTP as a browser asks. */
import { assert, describe, it } from "@effect/vitest"
import * as Cron from "effect/Cron"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Flow, ItemReader, ItemWriter, Job, JobOperator, JobParameters, JobRepository, Step } from "../../src/index.js"
import { BatchError } from "../../src/index.js"
import { get, operator, post, serve } from "./support.js"

class Params extends JobParameters.Tag<Params>()("Params", {
  day: Schema.DateFromString,
  size: JobParameters.nonIdentifying(Schema.NumberFromString),
  mode: JobParameters.nonIdentifying(Schema.Literal("full", "quick"))
}) {}

/** Fails until it is mended; `hold` keeps it in its step. */
const world = Effect.gen(function*() {
  const hold = yield* Deferred.make<void>()
  let isBroken = true
  const failing = Job.make("failing", {
    flow: Step.chunk("load", {
      reader: ItemReader.fromIterable([1, 2, 3]),
      processor: (n: number) =>
        n === 2 ? Effect.fail({ _tag: "BadRow" as const, message: "no <b>amount</b>" }) : Effect.succeed(n),
      writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void),
      chunkSize: 2
    }).pipe(
      Step.skip("BadRow", { limit: 5 }),
      Step.quarantine(),
      Flow.andThen(
        Step.tasklet("post", Effect.suspend(() => isBroken ? Effect.fail("the ledger is closed") : Effect.void))
      )
    )
  })
  const slow = Job.make("slow", { flow: Step.tasklet("wait", Deferred.await(hold)) })
  const billing = Job.make("billing", { parameters: Params, flow: Step.tasklet("bill", Effect.void) })
  return {
    jobs: [failing, slow, billing],
    failing,
    slow,
    release: Deferred.succeed(hold, undefined),
    mend: () => {
      isBroken = false
    }
  }
})

const statusOf = (id: number) => Effect.map(JobOperator.execution(id), ({ status }) => status)

describe("pages", () => {
  it.scopedLive("show what is wrong, the cause, what a restart would do, skipped records, history; each as JSON too", () =>
    Effect.gen(function*() {
      const { failing, jobs } = yield* world
      const { services, url } = yield* serve(jobs)
      const { id } = yield* Effect.provide(JobOperator.run(failing, {}), services)
      const pages: Record<string, ReadonlyArray<string>> = {
        "/": ["What is wrong now", "1 thing needs attention", "the ledger is closed"],
        [`/executions/${id}`]: [
          "the ledger is closed",
          "What a restart would do",
          "load: skip, it ended before with COMPLETED",
          "no &lt;b&gt;amount&lt;/b&gt;",
          "The flow of the job"
        ],
        [`/executions/${id}/skipped`]: ["no &lt;b&gt;amount&lt;/b&gt;", "<code>2</code>"],
        "/executions?status=FAILED": [`/executions/${id}"`],
        "/executions?status=COMPLETED": ["None."],
        "/jobs": ["billing", "failing", "slow"],
        "/jobs/failing": ["The last 1 executions", "FAILED"]
      }
      for (const [path, parts] of Object.entries(pages)) {
        const page = yield* get(`${url}${path}`)
        assert.strictEqual(page.status, 200, path)
        parts.forEach((part) => assert.include(page.text, part, path))
        assert.notInclude(page.text, "<b>amount")
        assert.notInclude(page.text, "method=\"post\"", "a viewer has no buttons that act")
        const json = yield* get(`${url}${path}${path.includes("?") ? "&" : "?"}format=json`)
        assert.include(json.headers.get("content-type"), "application/json")
        assert.isObject(JSON.parse(json.text))
      }
      const report = yield* get(`${url}/executions/${id}/report`)
      assert.include(report.headers.get("content-disposition"), `execution-${id}.html`)
      assert.strictEqual((yield* get(`${url}/executions/999999`)).status, 404)
      assert.strictEqual((yield* get(`${url}/jobs/nobody`)).status, 404)
      assert.strictEqual((yield* get(`${url}/nothing`)).status, 404)
    }))

  it.scopedLive("find a job whatever its name is, and keep its page up to date", () =>
    Effect.gen(function*() {
      const names = [
        "a%20b",
        "100%",
        "a/b?c=d#e;f",
        "v1.2",
        "ä +&",
        "\"'<>",
        ".",
        "..",
        "~",
        "~..",
        "../..",
        "%2e%2e",
        "a\\b",
        "💥",
        "\u202eevil",
        ":id",
        "*"
      ]
      const { services, url } = yield* serve(
        names.map((name) => Job.make(name, { flow: Step.tasklet("step", Effect.void) })),
        operator
      )
      for (const name of names) {
        const path = `/jobs/${/^(~|\.{1,2}$)/.test(name) ? "~" : ""}${encodeURIComponent(name)}`
        const page = yield* get(`${url}${path}?format=json`)
        assert.strictEqual(JSON.parse(page.text).name, name)
        const form = yield* get(`${url}${path}`)
        const launched = yield* post(url, `${path}/launch`, form)
        assert.strictEqual(launched.status, 303, name)
        const id = Number(launched.headers.get("location")!.split("/").at(-1))
        const { instance } = yield* Effect.provide(JobOperator.execution(id), services)
        assert.strictEqual(instance.jobName, name)
        const events = /data-events="([^"]+)"/.exec((yield* get(`${url}${path}`)).text)![1]!.replaceAll("&#39;", "'")
          .replaceAll("&amp;", "&")
        const of = decodeURIComponent(new URLSearchParams(events.split("?")[1]).get("of")!)
        assert.include(of.replace("/jobs/~", "/jobs/").replaceAll("~", ""), name.replaceAll("~", ""))
        // As a browser does it, which takes dots in a path for a way.
        const [, href] = /href="(\/jobs\/[^"]+)"/.exec(
          (yield* get(`${url}/executions?job=${encodeURIComponent(name)}`)).text
        )!
        const seen = yield* get(new URL(`${href!.replaceAll("&#39;", "'")}?format=json`, url).href)
        assert.strictEqual(JSON.parse(seen.text).name, name)
      }
    }))

  it.scopedLive("cannot be framed, run no script but their own, and are not kept", () =>
    Effect.gen(function*() {
      const { jobs } = yield* world
      const { url } = yield* serve(jobs)
      const [one, two] = [yield* get(`${url}/`), yield* get(`${url}/`)]
      const policy = one.headers.get("content-security-policy")!
      const nonce = /script-src 'nonce-([^']+)'/.exec(policy)![1]!
      assert.include(policy, "default-src 'none'")
      assert.include(policy, "frame-ancestors 'none'")
      assert.include(one.text, `<script nonce="${nonce}">`)
      assert.notInclude(two.text, nonce)
      assert.strictEqual(one.headers.get("x-frame-options"), "DENY")
      assert.strictEqual(one.headers.get("cache-control"), "no-store")
      assert.match(one.headers.get("set-cookie")!, /HttpOnly.*SameSite=Strict/)
    }))

  it.scopedLive("a database that is away is told, and the page comes back by itself", () =>
    Effect.gen(function*() {
      const { jobs } = yield* world
      let isAway = false
      const memory = yield* Layer.build(JobRepository.layerMemory)
      const repository = Layer.map(
        Layer.succeedContext(memory),
        (context) => context
      )
      const flaky = Layer.effect(
        JobRepository.JobRepository,
        Effect.map(JobRepository.JobRepository, (service) => ({
          ...service,
          jobExecutions: (filter: Parameters<typeof service.jobExecutions>[0]) =>
            Effect.suspend(() =>
              isAway
                ? Effect.fail(
                  new BatchError.JobRepositoryError({
                    operation: "jobExecutions",
                    reason: "transient",
                    detail: "connection refused"
                  })
                )
                : service.jobExecutions(filter)
            )
        }))
      ).pipe(Layer.provideMerge(repository))
      const { url } = yield* serve(jobs, {}, flaky)
      const page = yield* get(`${url}/`)
      const events = /data-events="([^"]+)"/.exec(page.text)![1]!.replaceAll("&amp;", "&")
      isAway = true
      const changed = Effect.promise(async () => {
        const stop = new AbortController()
        const answer = await fetch(`${url}${events}`, { signal: stop.signal })
        const reader = answer.body!.getReader()
        let text = ""
        while (text.split("event: changed").length < 3) {
          text += new TextDecoder().decode((await reader.read()).value)
          if (text.includes("event: changed")) {
            isAway = false
          }
        }
        stop.abort()
        return text
      })
      const away = yield* get(`${url}/`)
      assert.strictEqual(away.status, 503)
      assert.include(away.text, "connection refused")
      assert.include(away.text, "comes back by itself")
      assert.include(away.text, "data-events=")
      yield* changed
      assert.strictEqual((yield* get(`${url}/`)).status, 200)
    }))
})

describe("what is wrong", () => {
  it.scopedLive("tells of a lease that runs out, and of a deadline that was missed by a job that did not run", () =>
    Effect.gen(function*() {
      const { jobs, release, slow } = yield* world
      const memory = yield* Layer.build(JobRepository.layerMemory)
      let left = 30_000
      const repository = Layer.effect(
        JobRepository.JobRepository,
        Effect.map(JobRepository.JobRepository, (service) => ({
          ...service,
          leases: Effect.map(service.leases, (leases) => leases.map((lease) => ({ ...lease, leftMillis: left })))
        }))
      ).pipe(Layer.provideMerge(Layer.succeedContext(memory)))
      const { services, url } = yield* serve(jobs, {
        ...operator,
        deadlines: [
          { jobName: "billing", at: Cron.unsafeParse("0 6 * * *", "UTC") },
          { jobName: "failing", at: Cron.unsafeParse("0 0 1 1 *", "UTC") }
        ]
      }, repository)
      const running = yield* Effect.provide(JobOperator.start(slow, {}), services)
      const { text } = yield* get(`${url}/`)
      assert.include(text, "2 things need attention")
      assert.match(
        text,
        /<a href="\/jobs\/billing">billing<\/a><\/b> is late: It had not completed by \d{4}-\d\d-\d\d 06:00 UTC/
      )
      assert.notInclude(text, "its lease runs out")
      left = 9000
      const page = yield* get(`${url}/`)
      assert.include(page.text, "its lease runs out in 9.0 s: Its process has not renewed it for 21 s of 30 s")
      const { troubles } = JSON.parse((yield* get(`${url}/?format=json`)).text)
      assert.deepStrictEqual(troubles.map(({ jobName }: { jobName: string }) => jobName), [
        "slow",
        "billing",
        "failing"
      ])
      yield* release
      yield* running.await
    }))

  it.scopedLive("tells how much of its source a step has read, and when it will be done, in whatever process it runs", () =>
    Effect.gen(function*() {
      const hold = yield* Deferred.make<void>()
      const job = Job.make("steady", {
        flow: Step.chunk("load", {
          reader: ItemReader.fromIterable(Array.from({ length: 200 }, (_, n) => n)),
          writer: ItemWriter.fromFunction(([n]: ReadonlyArray<number>) =>
            n! < 50 ? Effect.sleep("2 millis") : Deferred.await(hold)
          ),
          chunkSize: 10
        })
      })
      const { services, url } = yield* serve([job])
      const running = yield* Effect.provide(JobOperator.start(job, {}), services)
      const at = (path: string): Effect.Effect<string> =>
        Effect.flatMap(
          get(`${url}${path}`),
          ({ text }) => text.includes("25 % of it") ? Effect.succeed(text) : at(path)
        )
      assert.match(
        yield* at(`/executions/${running.execution.id}`),
        /so far, 25 % of it, (about \d+.* left|nearly done)/
      )
      assert.match(yield* at("/"), /25 % of it/)
      yield* Deferred.succeed(hold, undefined)
      yield* running.await
      assert.notInclude((yield* get(`${url}/executions/${running.execution.id}`)).text, "% of it")
    }))
})

describe("access", () => {
  it.scopedLive("by default only requests to a name of this machine may look, and none may act", () =>
    Effect.gen(function*() {
      const { failing, jobs } = yield* world
      const { services, url } = yield* serve(jobs)
      const { id } = yield* Effect.provide(JobOperator.run(failing, {}), services)
      const page = yield* get(`${url}/executions/${id}`)
      assert.strictEqual(page.status, 200)
      const acted = yield* post(url, `/executions/${id}/restart`, page)
      assert.strictEqual(acted.status, 403)
      assert.strictEqual(yield* Effect.provide(statusOf(id), services), "FAILED")
      const rebound = yield* requestTo(url, "evil.example.org")
      assert.strictEqual(rebound, 403)
    }))

  it.scopedLive("who has none sees nothing; the program decides per request, and by name", () =>
    Effect.gen(function*() {
      const { failing, jobs } = yield* world
      const { services, url } = yield* serve(jobs, {
        access: ({ headers }) =>
          Effect.succeed(
            headers["x-user"] === "ada"
              ? { access: "operate", who: "ada" }
              : headers["x-user"] === "bob"
              ? "read"
              : "none"
          )
      })
      const { id } = yield* Effect.provide(JobOperator.run(failing, {}), services)
      const path = `${url}/executions/${id}`
      const [nobody, bob, ada] = [
        yield* get(path),
        yield* get(path, { "x-user": "bob" }),
        yield* get(path, { "x-user": "ada" })
      ]
      assert.strictEqual(nobody.status, 403)
      assert.notInclude(nobody.text, "failing")
      assert.notInclude(bob.text, "method=\"post\"")
      assert.include(ada.text, "<button id=\"restart\">")
    }))

  it.scopedLive("a request that was not sent by a page of this session does nothing", () =>
    Effect.gen(function*() {
      const { failing, jobs } = yield* world
      const { services, url } = yield* serve(jobs, operator)
      const { id } = yield* Effect.provide(JobOperator.run(failing, {}), services)
      const page = yield* get(`${url}/executions/${id}`)
      const other = yield* get(`${url}/executions/${id}`)
      const otherCookie = other.headers.get("set-cookie")!.split(";")[0]!
      const forged = [
        { token: "" },
        { token: "x".repeat(43) },
        { cookie: "" },
        { cookie: otherCookie },
        { headers: { origin: "https://evil.example.org" } },
        { headers: { origin: "null" } },
        { headers: { "sec-fetch-site": "cross-site" } }
      ]
      for (const change of forged) {
        const answer = yield* post(url, `/executions/${id}/abandon`, page, {}, change)
        assert.strictEqual(answer.status, 403, JSON.stringify(change))
      }
      assert.strictEqual(yield* Effect.provide(statusOf(id), services), "FAILED")
      assert.strictEqual((yield* post(url, `/executions/${id}/abandon`, page)).status, 303)
      assert.strictEqual(yield* Effect.provide(statusOf(id), services), "ABANDONED")
    }))
})

describe("actions", () => {
  it.scopedLive("restart outlives the request, and is written down with who asked", () =>
    Effect.gen(function*() {
      const { failing, jobs, mend } = yield* world
      const { services, url } = yield* serve(jobs, operator)
      const { id } = yield* Effect.provide(JobOperator.run(failing, {}), services)
      mend()
      const page = yield* get(`${url}/executions/${id}`)
      const answer = yield* post(url, `/executions/${id}/restart`, page)
      assert.strictEqual(answer.status, 303)
      const next = Number(answer.headers.get("location")!.split("/").at(-1))
      assert.isAbove(next, id)
      yield* Effect.provide(until(next, "COMPLETED"), services)
      assert.include((yield* get(`${url}/executions/${id}`)).text, "ada asked for restart: done")
    }))

  it.scopedLive("what was skipped is run again with a button, once; a page that is out of date is told so", () =>
    Effect.gen(function*() {
      let isBroken = true
      const job = Job.make("convert", {
        flow: Step.chunk("convert", {
          reader: ItemReader.fromIterable([1, 2, 3]),
          processor: (n: number) => n > 1 && isBroken ? Effect.fail({ _tag: "NoRate" as const }) : Effect.succeed(n),
          writer: ItemWriter.discard,
          chunkSize: 2
        }).pipe(Step.skip("NoRate", { limit: 2 }), Step.quarantine({ input: Schema.Number }))
      })
      const { services, url } = yield* serve([job], operator)
      const { id } = yield* Effect.provide(JobOperator.run(job, {}), services)
      const page = yield* get(`${url}/executions/${id}`)
      assert.include(page.text, "2 of them can be run again")
      assert.include(page.text, "Run these again")
      isBroken = false
      const done = yield* post(url, `/executions/${id}/replay`, page)
      assert.strictEqual(done.status, 303)
      const again = Number(done.headers.get("location")!.split("/").at(-1))
      yield* Effect.provide(until(again, "COMPLETED"), services)
      const late = yield* post(url, `/executions/${id}/replay`, page)
      assert.strictEqual(late.status, 409)
      assert.include(late.text, `execution ${again} has run it again`)
      const now = yield* get(`${url}/executions/${id}`)
      assert.notInclude(now.text, "Run these again")
      assert.include(now.text, "ada asked for replay: done")
      assert.include((yield* get(`${url}/executions/${again}`)).text, "convert (only write)")
    }))

  it.scopedLive("stop stops; on a page that is out of date it is told what is the case now", () =>
    Effect.gen(function*() {
      const { jobs, release, slow } = yield* world
      const { services, url } = yield* serve(jobs, operator)
      const running = yield* Effect.provide(JobOperator.start(slow, {}), services)
      const { id } = running.execution
      const page = yield* get(`${url}/executions/${id}`)
      assert.strictEqual((yield* post(url, `/executions/${id}/stop`, page)).status, 303)
      yield* release
      yield* running.await
      const late = yield* post(url, `/executions/${id}/stop`, page)
      assert.strictEqual(late.status, 409)
      assert.match(late.text, /is now <span class="badge (STOPPED|COMPLETED)">/)
      assert.strictEqual((yield* post(url, `/executions/${id}/explode`, page)).status, 409)
      const audit = yield* Effect.provide(
        Effect.flatMap(JobRepository.JobRepository, (repository) => repository.audit({ executionId: id })),
        services
      )
      assert.deepStrictEqual(audit.map(({ what, who }) => [what, who]), [["explode", "ada"], ["stop", "ada"], [
        "stop",
        "ada"
      ]])
      assert.strictEqual(audit[2]!.outcome, "done")
    }))

  it.scopedLive("a job is launched with a form made of its parameters; all problems are told, and what was typed stays", () =>
    Effect.gen(function*() {
      const { jobs } = yield* world
      const { services, url } = yield* serve(jobs, operator)
      const page = yield* get(`${url}/jobs/billing`)
      for (
        const part of ["for=\"p-day\"", "type=\"date\"", "<option value=\"quick\">", "identifies the job instance"]
      ) {
        assert.include(page.text, part)
      }
      const bad = yield* post(url, "/jobs/billing/launch", page, {
        "p.day": "someday",
        "p.size": "<3>",
        "p.mode": "full"
      })
      assert.strictEqual(bad.status, 422)
      assert.include(bad.text, "day ")
      assert.include(bad.text, "size ")
      assert.include(bad.text, "value=\"&lt;3&gt;\"")
      const good = yield* post(url, "/jobs/billing/launch", page, {
        "p.day": "2026-06-30",
        "p.size": "3",
        "p.mode": "full"
      })
      assert.strictEqual(good.status, 303)
      const id = Number(good.headers.get("location")!.split("/").at(-1))
      yield* Effect.provide(until(id, "COMPLETED"), services)
      const again = yield* post(url, "/jobs/billing/launch", page, {
        "p.day": "2026-06-30",
        "p.size": "3",
        "p.mode": "full"
      })
      assert.strictEqual(again.status, 422)
      assert.include(again.text, "complete")
    }))
})

/** Waits for the end of an execution of this process. */
const until = (id: number, status: string): Effect.Effect<void, unknown, JobRepository.JobRepository> =>
  Effect.flatMap(
    statusOf(id),
    (now) => now === status ? Effect.void : Effect.zipRight(Effect.yieldNow(), Effect.suspend(() => until(id, status)))
  )

/** Node's fetch does not let anybody choose the name of the host. */
const requestTo = (url: string, host: string): Effect.Effect<number> =>
  Effect.async((resume) => {
    void import("node:http").then(({ get }) =>
      get(url, { headers: { host } }, (answer) => {
        answer.resume()
        resume(Effect.succeed(answer.statusCode ?? 0))
      })
    )
  })
