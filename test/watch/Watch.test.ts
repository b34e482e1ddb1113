/** What somebody is told about jobs, and how often. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as TestClock from "effect/TestClock"
import { readFileSync } from "node:fs"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import { Watch } from "../../src/watch/index.js"
import { drivers } from "../support/drivers.js"

/** What a watcher has told; it may be started again and again. */
const watcher = (options: Partial<Watch.Options<never, never>> = {}) => {
  const told: Array<string> = []
  const notify = (notification: Watch.Notification) => Effect.sync(() => void told.push(Watch.textOf(notification)))
  return { told, look: Watch.look({ notify, ...options }) }
}

const tasklet = (name: string, effect: Effect.Effect<unknown, unknown>) =>
  Job.make(name, { flow: Step.tasklet("step", effect) })

/** An execution that another process has claimed. */
const launched = (jobName: string, owner: string) =>
  Effect.flatMap(JobRepository.JobRepository, (repository) =>
    repository.launch({
      jobName,
      parameters: [],
      restartable: true,
      owner,
      leaseMillis: 3_600_000,
      isOwnerGone: () => false
    }))

for (const { layer, name } of drivers) {
  describe(`a watch on ${name}`, () => {
    it.effect("tells a failure once, after a restart of the watcher too, and that a restart has completed it", () =>
      Effect.gen(function*() {
        let isBroken = true
        const job = tasklet(`fails-${name}`, Effect.suspend(() => isBroken ? Effect.fail("no paper") : Effect.void))
        const failed = yield* JobOperator.run(job, {})
        const [one, two] = [watcher(), watcher()]
        yield* one.look
        yield* one.look
        yield* two.look
        assert.lengthOf(one.told.filter((text) => text.includes(job.name)), 1)
        assert.match(one.told.find((text) => text.includes(job.name))!, /^FAILED: fails.*execution \d+.*no paper/)
        assert.deepStrictEqual(two.told.filter((text) => text.includes(job.name)), [])
        isBroken = false
        const { id } = yield* JobOperator.run(job, {})
        yield* two.look
        yield* one.look
        assert.deepStrictEqual(two.told.filter((text) => text.includes(job.name)), [
          `RECOVERED: ${job.name} (execution ${failed.id}): execution ${id} completed it`
        ])
      }).pipe(Effect.provide(layer)))
  })
}

describe("a watch", () => {
  it.effect("writes down now and then how far it has looked, not each time", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const marks: Array<string> = []
      const watched = {
        ...repository,
        recordNotice: (notice: Parameters<typeof repository.recordNotice>[0]) => {
          marks.push(notice.kind)
          return repository.recordNotice(notice)
        }
      }
      const look = Effect.provideService(watcher().look, JobRepository.JobRepository, watched)
      for (let minute = 0; minute < 25; minute++) {
        yield* look
        yield* TestClock.adjust("1 minute")
      }
      assert.deepStrictEqual(marks.map((mark) => new Date(mark).getUTCMinutes()), [0, 10, 20])
      assert.lengthOf(yield* repository.notices(["the watch"]), 1, "the last one")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("tells the death of a process once, whoever closes its execution then", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const execution = yield* repository.launch({
        jobName: "killed",
        parameters: [],
        restartable: true,
        owner: "gone",
        leaseMillis: 30_000,
        isOwnerGone: () => false
      })
      const { look, told } = watcher()
      yield* look
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust("31 seconds")
      yield* look
      yield* JobOperator.recover(execution.id)
      yield* look
      yield* watcher().look
      assert.lengthOf(told, 1)
      assert.match(told[0]!, /^FAILED: killed .*its process died/)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("tells once that a job stands still, and once that it goes on", () =>
    Effect.gen(function*() {
      const hold = yield* Deferred.make<void>()
      const job = Job.make("stands still", {
        flow: Step.chunk("load", {
          reader: ItemReader.fromIterable([1, 2]),
          writer: ItemWriter.fromFunction(([n]: ReadonlyArray<number>) => n === 2 ? Deferred.await(hold) : Effect.void),
          chunkSize: 1
        })
      })
      const fiber = yield* Effect.fork(JobOperator.run(job, {}))
      yield* TestClock.adjust("9 minutes")
      const { look, told } = watcher({ stalledAfter: "10 minutes" })
      yield* look
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust("1 minutes")
      yield* look
      yield* look
      assert.lengthOf(told, 1)
      assert.match(told[0]!, /^STALLED: stands still .*600 s/)
      yield* Deferred.succeed(hold, undefined)
      yield* fiber.await
      yield* look
      yield* look
      assert.lengthOf(told, 2)
      assert.match(told[1]!, /^RECOVERED/)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("tells the death of a process at once when that is known to be gone", () =>
    Effect.gen(function*() {
      yield* launched("killed", "gone")
      yield* launched("lives", "other")
      const { look, told } = watcher()
      yield* Effect.provideService(look, JobOperator.Ownership, {
        lease: "30 seconds",
        owner: "tested",
        isOwnerGone: (owner) => owner === "gone"
      })
      assert.lengthOf(told, 1)
      assert.match(told[0]!, /^FAILED: killed .*its process died/)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("tells what stands still in any state, also when that began before what it looks at", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      for (const status of ["STARTING", "STARTED", "STOPPING"] as const) {
        const execution = yield* launched(status, "other")
        yield* repository.updateJobExecution({ ...execution, status })
      }
      yield* TestClock.adjust("20 minutes")
      const { look, told } = watcher({ stalledAfter: "10 minutes", lookBack: "1 minutes" })
      yield* look
      assert.deepStrictEqual(told.map((text) => text.split(" (")[0]).sort(), [
        "STALLED: STARTED",
        "STALLED: STARTING",
        "STALLED: STOPPING"
      ])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("tells what a process did whose clock is five minutes behind", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      yield* TestClock.adjust("1 hours")
      const execution = yield* launched("behind", "other")
      const { look, told } = watcher()
      yield* look
      yield* Effect.clockWith((clock) =>
        Effect.withClock(
          repository.updateJobExecution({ ...execution, status: "FAILED" }),
          Object.create(clock, {
            unsafeCurrentTimeMillis: { value: () => clock.unsafeCurrentTimeMillis() - 300_000 }
          }) as typeof clock
        )
      )
      yield* look
      assert.lengthOf(told, 1)
      assert.match(told[0]!, /^FAILED: behind/)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("knows of a deadline that is rare when the job has completed for it, however long ago", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2026, 5, 26, 12))
      yield* JobOperator.run(tasklet("weekly", Effect.void), {})
      yield* TestClock.setTime(Date.UTC(2026, 5, 29, 7))
      const deadlines = ["weekly", "other"].map((jobName) => ({ jobName, at: Cron.unsafeParse("0 6 * * 1", "UTC") }))
      const { look, told } = watcher({ deadlines })
      yield* look
      assert.deepStrictEqual(told, ["LATE: other: it has not completed by 2026-06-29T06:00:00.000Z"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("goes on when a look breaks down", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      yield* JobOperator.run(tasklet("fails", Effect.fail("no paper")), {})
      let looks = 0
      const broken: typeof repository = {
        ...repository,
        jobExecutions: (filter) => ++looks === 1 ? Effect.die("no such column") : repository.jobExecutions(filter)
      }
      const told: Array<string> = []
      yield* Watch.layer({
        every: "1 minutes",
        notify: ({ jobName }) => Effect.sync(() => told.push(jobName))
      }).pipe(
        Layer.build,
        Effect.provideService(JobRepository.JobRepository, broken),
        Logger.withMinimumLogLevel(LogLevel.None)
      )
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(told, ["fails"])
    }).pipe(Effect.scoped, Effect.provide(JobRepository.layerMemory)))

  it.effect("tells once per deadline that a job did not complete in time, whether it ran or not", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2026, 5, 30, 5, 0))
      const deadlines = [{ jobName: "billing", at: Cron.unsafeParse("0 6 * * *", "UTC") }]
      yield* JobOperator.run(tasklet("billing", Effect.void), {})
      const { look, told } = watcher({ deadlines })
      yield* TestClock.adjust("1 hours")
      yield* look
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust("23 hours")
      yield* look
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust("1 hours")
      yield* look
      yield* look
      yield* TestClock.adjust("1 hours")
      const other = watcher({ deadlines })
      yield* other.look
      yield* TestClock.adjust("1 hours")
      yield* other.look
      assert.deepStrictEqual([told, other.told], [
        ["LATE: billing: it has not completed by 2026-07-01T06:00:00.000Z"],
        []
      ])
      const repository = yield* JobRepository.JobRepository
      const remembered = repository.notices(["deadline of billing at 2026-07-01T06:00:00.000Z"])
      yield* TestClock.adjust("20 days")
      yield* other.look
      assert.lengthOf(yield* remembered, 1)
      yield* TestClock.adjust("20 days")
      yield* other.look
      yield* TestClock.adjust("1 days")
      yield* other.look
      assert.lengthOf(yield* remembered, 0, "nobody looks so far back any more")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("tells again what could not be told, and survives a repository that is away", () =>
    Effect.gen(function*() {
      yield* JobOperator.run(tasklet("fails", Effect.fail("no paper")), {})
      let tries = 0
      const told = yield* Deferred.make<string>()
      yield* Layer.build(
        Watch.layer({
          every: "1 minutes",
          notify: (notification) =>
            Effect.suspend(() =>
              ++tries < 3 ? Effect.fail("no network") : Deferred.succeed(told, Watch.textOf(notification))
            )
        })
      )
      yield* TestClock.adjust("10 minutes")
      assert.include(yield* Deferred.await(told), "FAILED: fails")
      assert.strictEqual(tries, 3)
    }).pipe(Effect.scoped, Effect.provide(JobRepository.layerMemory)))

  it.effect("tells what happened while it was away, however long that was, and only once", () =>
    Effect.gen(function*() {
      let isBroken = true
      const nightly = tasklet("nightly", Effect.suspend(() => isBroken ? Effect.fail("no paper") : Effect.void))
      const deadlines = [{ jobName: "billing", at: Cron.unsafeParse("0 6 * * *", "UTC") }]
      yield* TestClock.setTime(Date.UTC(2026, 5, 30, 12))
      yield* JobOperator.run(tasklet("old", Effect.fail("long ago")), {})
      yield* TestClock.adjust("2 days")
      const first = watcher({ deadlines: [] })
      yield* first.look
      assert.deepStrictEqual(first.told, [], "what is older than a day is not told by the first look")
      const { id } = yield* JobOperator.run(nightly, {})
      yield* TestClock.adjust("9 days")
      const back = watcher({ deadlines })
      yield* back.look
      yield* watcher({ deadlines }).look
      assert.lengthOf(back.told.filter((text) => text.startsWith("FAILED: nightly")), 1)
      assert.lengthOf(back.told.filter((text) => text.startsWith("LATE: billing")), 9, "each deadline in between")
      assert.lengthOf(back.told, 10)
      yield* TestClock.adjust("9 days")
      isBroken = false
      const completed = yield* JobOperator.run(nightly, {})
      const last = watcher({})
      yield* last.look
      assert.deepStrictEqual(last.told, [
        `RECOVERED: nightly (execution ${id}): execution ${completed.id} completed it`
      ])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("does not lose what it could not tell for days", () =>
    Effect.gen(function*() {
      let isAway = true
      const told: Array<string> = []
      const look = Watch.look({
        notify: (notification) =>
          Effect.suspend(() => isAway ? Effect.fail("no network") : Effect.sync(() => told.push(notification.jobName)))
      })
      yield* look
      yield* JobOperator.run(tasklet("fails", Effect.fail("no paper")), {})
      for (let day = 0; day < 4; day++) {
        yield* look
        yield* TestClock.adjust("1 days")
      }
      isAway = false
      yield* look
      yield* look
      assert.deepStrictEqual(told, ["fails"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("sees all of a night with more executions than one page", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const all = Array.from({ length: 1200 }, (_, index) => index)
      const paged = JobRepository.JobRepository.of({
        ...repository,
        jobExecutions: ({ before, limit = 100, statuses }) => {
          assert.isAtMost(limit, 1000)
          return Effect.succeed(
            statuses !== undefined ? [] : all.filter((at) => before === undefined || at + 1 < before).reverse()
              .slice(0, limit).map((at) => ({ ...failed, id: at + 1 }))
          )
        }
      })
      const failed = yield* JobOperator.run(tasklet("fails", Effect.fail("no paper")), {})
      const { look, told } = watcher()
      yield* Effect.provideService(look, JobRepository.JobRepository, paged)
      assert.lengthOf(told, 1200)
      yield* Effect.provideService(look, JobRepository.JobRepository, paged)
      assert.lengthOf(told, 1200)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("tells ends as well if it is asked to", () =>
    Effect.gen(function*() {
      yield* JobOperator.run(tasklet("fine", Effect.void), {})
      const { look, told } = watcher({ kinds: ["ended"] })
      yield* look
      assert.lengthOf(told, 1)
      assert.match(told[0]!, /^ENDED: fine .*COMPLETED/)
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("ready-made notifiers", () => {
  const notification: Watch.Notification = {
    kind: "failed",
    jobName: "night\r\nBcc: all@example.org",
    executionId: 7,
    text: "<!channel> it's \"bad\"",
    time: DateTime.unsafeMake(0)
  }

  it.scopedLive("post JSON, and text in the shape of Slack in which nobody is mentioned", () =>
    Effect.gen(function*() {
      const bodies: Array<any> = []
      const url = yield* Effect.map(
        Effect.acquireRelease(
          Effect.async<Http.Server>((resume) => {
            const server = Http.createServer((request, response) => {
              let text = ""
              request.on("data", (part) => text += part)
              request.on("end", () => {
                bodies.push(JSON.parse(text))
                response.writeHead(request.url === "/broken" ? 500 : 200).end()
              })
            })
            server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
        ),
        (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      )
      yield* Watch.webhook(url)(notification)
      yield* Watch.slack(url)(notification)
      yield* Watch.webhook(url)({ ...notification, executionId: undefined })
      assert.deepInclude(bodies[0], { kind: "failed", executionId: 7, time: "1970-01-01T00:00:00.000Z" })
      assert.isNull(bodies[2].executionId, "a deadline is of no execution")
      assert.include(bodies[1].text, "&lt;!channel&gt;")
      assert.notInclude(bodies[1].text, "\n")
      const failed = yield* Effect.exit(Watch.webhook(`${url}/broken`)(notification))
      assert.strictEqual(failed._tag, "Failure")
    }).pipe(Effect.provide(FetchHttpClient.layer)))

  it.scopedLive("give a mail whose subject is whole in words that each fit, whatever its characters are", () =>
    Effect.gen(function*() {
      const file = `${process.env["TMPDIR"] ?? "/tmp"}/effect-batch-subject-${process.pid}`
      const mail = Watch.mail({ command: ["sh", "-c", `cat > ${file}`], from: "a@example.org", to: "b@example.org" })
      for (const text of ["short", "ü".repeat(200), "a" + "🙂".repeat(400), "x".repeat(3000), "\ud800 half", ""]) {
        yield* mail({ ...notification, text })
        const mailed = readFileSync(file, "utf8")
        for (const line of mailed.split("\n")) {
          assert.isAtMost(Buffer.byteLength(line), 998)
        }
        const lines = /^Subject: (.*(?:\n .*)*)$/m.exec(mailed)![1]!.split("\n ")
        const words = lines.map((line) => {
          assert.isAtMost("Subject: ".length + line.length, 76)
          const bytes = Buffer.from(/^=\?UTF-8\?B\?([A-Za-z\d+/]+=*)\?=$/.exec(line)![1]!, "base64")
          return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
        })
        // As full as they can be: a character of more bytes may not fit any more.
        const widest = Math.max(...Array.from(words.join(""), (char) => Buffer.byteLength(char)))
        for (const word of words.slice(0, -1)) {
          assert.isAtLeast(Buffer.byteLength(word), 40 - widest)
        }
        const wanted = Array.from(Watch.textOf({ ...notification, text }).replace(/\ud800/, "\ufffd")).slice(0, 150)
          .join("")
        assert.strictEqual(words.join(""), wanted)
        assert.strictEqual(
          mailed.split("\n\n")[1]!.split("\nat ")[0]!.replaceAll("\n", ""),
          Watch.textOf({
            ...notification,
            text
          }).replace(/\ud800/, "\ufffd")
        )
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("give a mail to a program, in which no name becomes a header", () =>
    Effect.gen(function*() {
      const file = `${process.env["TMPDIR"] ?? "/tmp"}/effect-batch-mail-${process.pid}`
      yield* Watch.mail({ command: ["sh", "-c", `cat > ${file}`], from: "batch@example.org", to: "ops@example.org" })(
        notification
      )
      const [head, body] = readFileSync(file, "utf8").split("\n\n")
      assert.deepStrictEqual(head!.replaceAll("\n ", "").split("\n").map((line) => line.split(":")[0]), [
        "From",
        "To",
        "Subject",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding"
      ])
      assert.include(body, "(execution 7)")
      const failed = yield* Effect.exit(
        Watch.mail({ command: ["false"], from: "a@example.org", to: "b@example.org" })(notification)
      )
      assert.strictEqual(failed._tag, "Failure")
    }).pipe(Effect.provide(NodeContext.layer)))
})
