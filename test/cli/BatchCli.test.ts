/**
 * The command line in this process: what it answers, and with which exit code.
 */
import * as Terminal from "@effect/platform/Terminal"
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { BatchCli } from "../../src/cli/index.js"
import type { Transactor } from "../../src/index.js"
import {
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  Partition,
  Step
} from "../../src/index.js"

class Params extends JobParameters.Tag<Params>()("Params", {
  file: Schema.String.annotations({ description: "The file to import" }),
  businessDate: Schema.DateFromString,
  mode: Schema.Literal("full", "delta"),
  size: JobParameters.nonIdentifying(Schema.optionalWith(Schema.Number, { exact: true, default: () => 2 })),
  verbose: JobParameters.nonIdentifying(Schema.optionalWith(Schema.Boolean, { exact: true, default: () => false })),
  token: JobParameters.nonIdentifying(
    Schema.optionalWith(Schema.Redacted(Schema.String), { exact: true, as: "Option" })
  )
}) {}

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

class Hiccup extends Data.TaggedError("Hiccup")<{ readonly message: string }> {}

const seen: Array<typeof Params.Service> = []
let broken = false
let isTerminal = false
let slowness = 0
let width = 100

const load = Step.chunk("load", {
  reader: ItemReader.fromIterable([1, 2, 3, 4, 5]),
  processor: (n: number) => n === 3 ? Effect.fail(new Broken({ message: "three is bad" })) : Effect.succeed(n),
  writer: ItemWriter.discard,
  chunkSize: 2
}).pipe(Step.skip("Broken", { limit: 1 }), Step.quarantine())

const importJob = Job.make("import", {
  parameters: Params,
  flow: load.pipe(Flow.andThen(Step.tasklet(
    "report",
    Effect.flatMap(Params, (parameters) => {
      seen.push(parameters)
      return broken ? Effect.fail(new Broken({ message: "no paper" })) : Effect.void
    })
  )))
})

const tidy = Job.make("tidy", { flow: Step.tasklet("tidy", Effect.void) })
const weekly = Job.make("weekly", {
  flow: Step.tasklet("weekly", Effect.void),
  incrementer: JobParameters.counter("week")
})

const gates: Array<Deferred.Deferred<void>> = []
const gated = Job.make("gated", {
  flow: Step.tasklet("wait", Effect.suspend(() => Deferred.await(gates.at(-1)!)))
})

/** One bad item in the first chunk, a hiccup in the second. */
const search = Job.make("search", {
  flow: Step.chunk("load", {
    reader: ItemReader.fromIterable(Array.from({ length: 32 }, (_, i) => i)),
    writer: ItemWriter.unwrap(Effect.sync(() => {
      let isFirst = true
      return ItemWriter.fromFunction((items: ReadonlyArray<number>): Effect.Effect<void, Broken | Hiccup> => {
        if (items.includes(11)) {
          return Effect.fail(new Broken({ message: "eleven is bad" }))
        }
        const fails = items.includes(20) && isFirst
        isFirst = !fails && isFirst
        return fails ? Effect.fail(new Hiccup({ message: "try again" })) : Effect.void
      })
    })),
    chunkSize: 16
  }).pipe(Step.skip("Broken", { limit: 1 }), Step.retry("Hiccup", { times: 1 }))
})

class VatServiceDown extends Data.TaggedError("VatServiceDown")<{
  readonly country: string
  readonly apiKey: string
  readonly cause: unknown
}> {}

/** Fails at a service, and with more to tell than one line holds. */
const post = Job.make("post", {
  flow: Step.tasklet(
    "vat",
    Effect.suspend(() =>
      Effect.fail(
        new VatServiceDown({
          country: "DE",
          apiKey: "s3cret",
          cause: new Error("fetch failed", { cause: "https://bank:s3cret@vat.example/rates\nanswers 503" })
        })
      )
    )
  )
})

/** What would paint, clear the screen or turn the text of a terminal. */
const PAINT = "\u001b[31mred\u001b[2J\u009b2J\u202e"
const paint = Job.make("paint", {
  flow: Step.chunk("load", {
    reader: ItemReader.fromIterable([`a${PAINT}`, "last"]),
    processor: (text: string) => Effect.fail(new Broken({ message: `bad ${text}` })),
    writer: ItemWriter.discard,
    chunkSize: 1
  }).pipe(Step.skip("Broken", { limit: 1 }), Step.quarantine())
})

/** A command line over one repository, and what it writes. */
const makeCliOf = (jobs: ReadonlyArray<Job.Job.Any>) =>
  Effect.gen(function*() {
    const services = yield* Layer.build(JobRepository.layerMemory)
    const out: Array<string> = []
    const terminal = Terminal.Terminal.of({
      columns: Effect.sync(() => width),
      rows: Effect.succeed(30),
      isTTY: Effect.sync(() => isTerminal),
      readInput: Effect.die("no input"),
      readLine: Effect.die("no input"),
      display: (text) =>
        Effect.zipRight(
          slowness > 0 ? Effect.repeatN(Effect.yieldNow(), slowness) : Effect.void,
          Effect.sync(() => void out.push(text))
        )
    })
    const cli = BatchCli.make({
      name: "batch",
      version: "1.0.0",
      jobs,
      layer: Layer.succeedContext(services) as Layer.Layer<JobRepository.JobRepository | Transactor.Transactor>
    })
    const run = (...args: ReadonlyArray<string>) =>
      Effect.gen(function*() {
        out.length = 0
        const exit = yield* Effect.exit(cli(["node", "batch", ...args]))
        const error = Exit.isFailure(exit)
          ? String((exit.cause as { error?: { message?: string } }).error?.message)
          : ""
        return { code: BatchCli.exitCodeOf(exit), text: out.join(""), error }
      }).pipe(Effect.provideService(Terminal.Terminal, terminal))
    return {
      run,
      out,
      operate: <A, E>(effect: Effect.Effect<A, E, JobRepository.JobRepository | Transactor.Transactor>) =>
        Effect.provide(effect, services)
    }
  })

const makeCli = makeCliOf([importJob, tidy, weekly, paint, gated, search, post])

const valid = ["--file", "a.csv", "--business-date", "2026-06-30", "--mode", "full"]

describe("the command line", () => {
  it.scoped("runs a job with flags from its parameters, and says what it did", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      const { code, text } = yield* run(
        "run",
        "import",
        ...valid,
        "--size",
        "7",
        "--verbose",
        "true",
        "--token",
        "s3cret"
      )
      assert.strictEqual(code, 0, text)
      const last = seen.at(-1)!
      assert.deepStrictEqual([last.file, last.mode, last.size, last.verbose], ["a.csv", "full", 7, true])
      assert.strictEqual(last.businessDate.toISOString(), "2026-06-30T00:00:00.000Z")
      assert.strictEqual(last.token._tag === "Some" ? Redacted.value(last.token.value) : "", "s3cret")
      assert.include(text, "import runs as execution")
      assert.include(text, "load COMPLETED: 5 read, 4 written, 1 skipped, 3 commits")
      assert.include(text, "load skipped item 3 in process: Broken: three is bad")
      assert.notInclude(text, "s3cret")
      const again = yield* run("run", "import", ...valid)
      assert.strictEqual(again.code, 3)
      assert.include(again.error, "is COMPLETED already")
    }))

  it.scoped("reports all problems of the parameters at once, and runs nothing", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCli
      const { code, error } = yield* run(
        ...["run", "import", "--file", "a.csv", "--mode", "full", "--business-date", "soon", "--size", "many"]
      )
      assert.strictEqual(code, 2)
      for (const problem of ["businessDate is not a valid date: \"soon\"", "size: Expected number, actual \"many\""]) {
        assert.include(error, problem)
      }
      assert.notInclude(error, "undefined")
      const missing = yield* run("run", "import", "--mode", "full")
      assert.deepStrictEqual([missing.code, missing.error.includes("--file and --business-date are missing")], [
        2,
        true
      ])
      assert.deepStrictEqual(yield* operate(JobOperator.executions()), [])
    }))

  it.scoped("--help shows the type of each parameter and whether it is required or identifying, without opening a repository", () =>
    Effect.gen(function*() {
      const cli = BatchCli.make({
        name: "batch",
        version: "1.0.0",
        jobs: [importJob],
        layer: Layer.fail("no database") as Layer.Layer<JobRepository.JobRepository | Transactor.Transactor, string>
      })
      const { run } = yield* makeCli
      const { text } = yield* run("run", "import", "--help")
      assert.strictEqual(
        text,
        `Run "import", or go on with one that did not complete.

Usage
  batch run import --file <text> --business-date <date> --mode <full|delta>
    [--size <number>] [--verbose <true|false>] [--token <secret>] [--wait]
    [--json]

Options
  --file <text>           The file to import; identifies the job instance;
                          required
  --business-date <date>  identifies the job instance; required
  --mode <full|delta>     identifies the job instance; required
  --size <number>         does not identify the job instance; default 2
  --verbose <true|false>  does not identify the job instance; default false
  --token <secret>        does not identify the job instance; never shown
  --wait                  If it runs elsewhere, wait for that, then go on as if
                          it had not
  --json                  Answer with JSON, for programs
`
      )
      const exitOf = (...args: ReadonlyArray<string>) =>
        Effect.map(Effect.exit(Effect.provide(cli(["node", "batch", ...args]), quiet)), BatchCli.exitCodeOf)
      assert.strictEqual(yield* exitOf("list", "executions"), 1)
      assert.strictEqual(yield* exitOf("list", "--help"), 0)
      assert.strictEqual(yield* exitOf("list", "jobs"), 0)
    }))

  it.scoped("show --full tells every cause of a failure, with fields and places and without secrets", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCli
      const { code, text } = yield* run("run", "post")
      assert.strictEqual(code, 1)
      const [row] = yield* operate(JobOperator.executions())
      const id = String(row!.id)
      const brief = yield* run("show", id)
      assert.include(brief.text, `All causes, with their fields and places: show ${id} --full`)
      assert.notInclude(brief.text, "Causes of")
      assert.notInclude((yield* run("show", id, "--json")).text, `"causes"`)
      const full = yield* run("show", id, "--full")
      assert.match(
        full.text.replaceAll(/ \(at [^)]*BatchCli\.test\.ts:\d+:\d+\)/g, " (at HERE)"),
        /Causes of step vat:\n  VatServiceDown \{ country: "DE", apiKey: <redacted> \} \(at HERE\)\n    caused by Error: fetch failed \(at HERE\)\n      caused by https:\/\/bank:<redacted>@vat\.example\/rates answers 503/
      )
      assert.notInclude(full.text, "Causes of the job")
      const json = JSON.parse((yield* run("show", id, "--full", "--json")).text)
      assert.strictEqual(json.steps[0].causes.length, 3)
      assert.deepStrictEqual(json.causes, json.steps[0].causes)
      assert.notInclude(text + brief.text + full.text + JSON.stringify(json), "s3cret")
    }))

  it.scoped("show --full says so where no causes are stored, as in rows of 0.1", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCli
      const id = yield* operate(Effect.gen(function*() {
        const repository = yield* JobRepository.JobRepository
        const request = { jobName: "tidy", parameters: [], restartable: true, owner: "old", leaseMillis: 60_000 }
        const execution = yield* repository.launch({ ...request, isOwnerGone: () => false })
        yield* repository.close(execution.id, { status: "FAILED", exitCode: "FAILED", message: "Error: no paper" })
        return String(execution.id)
      }))
      const full = yield* run("show", id, "--full")
      assert.include(full.text, "Error: no paper")
      assert.include(
        full.text,
        "Causes of the job:\n  none are stored: nothing raised an error, an older version ran it, or its process died"
      )
      assert.notInclude((yield* run("show", id)).text, "--full")
    }))

  it.scoped("a job that fails exits with 1, show says why, restart continues, and then nothing is left to do", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCli
      broken = true
      const failed = yield* run("run", "import", ...valid)
      assert.strictEqual(failed.code, 1)
      assert.include(failed.text, "report: Broken: no paper")
      const [row] = yield* operate(JobOperator.executions())
      const id = String(row!.id)
      const shown = yield* run("show", id)
      assert.include(shown.text, "report: Broken: no paper")
      assert.match(shown.text, /load +COMPLETED +COMPLETED +5 +4 +0 +1 +3 +0/)
      assert.include(shown.text, "three is bad")

      const explained = yield* run("explain", "import", ...valid)
      assert.include(explained.text, "load: skip")
      assert.include(explained.text, "report: resume")

      broken = false
      const restarted = yield* run("restart", id)
      assert.strictEqual(restarted.code, 0)
      assert.include(restarted.text, "load was complete already")
      const again = yield* run("restart", id, "--json")
      assert.strictEqual(again.code, 3)
      assert.strictEqual(JSON.parse(again.text).error.tag, "JobInstanceAlreadyComplete")
    }))

  it.scoped("lists, abandons and skips, as tables and as JSON", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCli
      broken = true
      yield* run("run", "import", ...valid, "--token", "s3cret")
      yield* run("run", "tidy")
      const [, failed] = yield* operate(JobOperator.executions())
      const id = String(failed!.id)
      assert.include((yield* run("list", "jobs")).text, "import  file businessDate mode (size) (verbose) (token)")
      const table = yield* run("list", "executions")
      assert.match(table.text, /ID +JOB +STATUS +EXIT CODE/)
      assert.include(table.text, "token=<redacted>")
      const json = yield* run("list", "executions", "--status", "FAILED", "--json")
      const rows = JSON.parse(json.text)
      assert.deepStrictEqual(rows.map((row: { id: number; jobName: string }) => [row.id, row.jobName]), [[
        failed!.id,
        "import"
      ]])
      assert.notInclude(json.text, "s3cret")
      assert.include((yield* run("skipped", id)).text, "Broken")
      assert.match((yield* run("report", id)).text, /^<!doctype html>[^]*Broken[^]*<\/html>\n$/)
      assert.strictEqual(JSON.parse((yield* run("skipped", id, "--json")).text).length, 1)
      assert.include((yield* run("abandon", id)).text, "is ABANDONED")
      assert.strictEqual((yield* run("run", "import", ...valid)).code, 2)
      const purge = yield* run("purge", "--older-than", "30 days", "--dry-run")
      assert.include(purge.text, "0 instances")
      assert.include((yield* run("purge", "--keep-last", "0")).text, "2 instances with 2 executions deleted")
      assert.include((yield* run("list", "executions")).text, "No executions.")
    }))

  it.scoped("replay runs what was skipped again, once, and show tells who asked for it", () =>
    Effect.gen(function*() {
      let isBroken = true
      const { operate, run } = yield* makeCliOf([Job.make("convert", {
        flow: Step.chunk("convert", {
          reader: ItemReader.fromIterable([1, 2, 3]),
          processor: (n: number) =>
            n > 1 && isBroken ? Effect.fail(new Broken({ message: `no rate for ${n}` })) : Effect.succeed(n),
          writer: ItemWriter.discard,
          chunkSize: 2
        }).pipe(Step.skip("Broken", { limit: 2 }), Step.quarantine({ input: Schema.Number }))
      })])
      const ran = yield* run("run", "convert")
      const [first] = yield* operate(JobOperator.executions())
      const id = String(first!.id)
      assert.include(
        ran.text,
        `Look at what was skipped with: batch skipped ${id}\nMend the cause, then run it again with: batch replay ${id}`
      )
      assert.strictEqual(
        (yield* run("replay", id, "--dry-run")).text,
        `2 of the records that execution ${id} skipped would be run again.\n`
      )
      isBroken = false
      const again = yield* run("replay", id)
      assert.strictEqual(again.code, 0)
      assert.include(again.text, "convert (replay) runs as execution")
      assert.include(again.text, "convert COMPLETED: 2 read, 2 written")
      assert.notInclude(again.text, "skipped with")
      assert.match((yield* run("show", id)).text, /\d\dZ \S.* at .* asked for replay: done/)
      const twice = yield* run("replay", id)
      assert.strictEqual(twice.code, 3)
      assert.include(twice.error, "has run it again")
      assert.match((yield* run("show", id)).text, /asked for replay: What execution .* is not run again/)
      assert.strictEqual((yield* run("replay", "999")).code, 2)
      const twiceInJson = JSON.parse((yield* run("replay", id, "--dry-run", "--json")).text)
      assert.strictEqual(twiceInJson.error.tag, "ReplayRefused")
    }))

  it.scoped("purge deletes nothing without a limit of age, and nothing that belongs to other programs", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCli
      yield* run("run", "tidy")
      const foreign = Job.make("foreign", { flow: Step.tasklet("work", Effect.void) })
      yield* operate(JobOperator.run(foreign, {}))
      const refusals: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: string]> = [
        [[], "say what is to go: --older-than"],
        [["--dry-run"], "--keep-last 10, both, or --all"],
        [["--job", "tidy", "--json"], "say what is to go"],
        [["--all", "--keep-last", "1"], "give either it"],
        [["--keep-last", "-1"], "must be 0 or more"]
      ]
      for (const [args, says] of refusals) {
        const refused = yield* run("purge", ...args)
        assert.strictEqual(refused.code, 2, args.join(" "))
        assert.include(refused.error, says)
      }
      assert.strictEqual((yield* operate(JobOperator.executions())).length, 2)
      assert.include((yield* run("purge", "--all", "--dry-run")).text, "1 instance with 1 execution would go.")
      assert.include((yield* run("purge", "--all")).text, "1 instance with 1 execution deleted.")
      assert.deepStrictEqual(
        (yield* operate(JobOperator.executions())).map(({ instance }) => instance.jobName),
        ["foreign"]
      )
      assert.include((yield* run("purge", "--all", "--job", "foreign")).text, "1 instance with 1 execution deleted.")
    }))

  it.scoped.prop("no id is taken for the value of a flag, wherever the flag stands", {
    id: FastCheck.integer({ min: 0, max: 3 }),
    command: FastCheck.constantFrom("show", "skipped", "stop", "restart", "abandon", "recover"),
    before: FastCheck.boolean()
  }, ({ before, command, id }) =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      const answer = yield* run(command, ...(before ? ["--json", String(id)] : [String(id), "--json"]))
      assert.deepStrictEqual(JSON.parse(answer.text), {
        error: {
          tag: "NoSuchJobExecution",
          message: `There is no job execution ${id}: list the executions of the job to find its id`
        }
      })
    }))

  it.scoped.prop("recover keeps its id and its flags in any order", {
    id: FastCheck.constantFrom("0", "1", "2", "3"),
    order: FastCheck.shuffledSubarray([["ID"], ["--force"], ["--json"], ["--reason", "1"]], { minLength: 3 })
  }, ({ id, order }) =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      const args = order.flat().map((token) => token === "ID" ? id : token)
      const { code, error, text } = yield* run("recover", ...args)
      const isOne = order.some(([token]) => token === "ID")
      assert.strictEqual(code, isOne ? 2 : 0)
      assert.include(error + text, isOne ? `no job execution ${id}` : "[]")
    }))

  it.scoped("an unknown job is refused by name, with a list of the known ones", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      for (const command of ["run", "next", "explain", "graph"]) {
        const { code, error } = yield* run(command, "tidi")
        assert.strictEqual(code, 2)
        assert.strictEqual(
          error,
          "There is no job \"tidi\" (did you mean \"tidy\"?): the jobs are \"gated\", \"import\", \"paint\", \"post\", \"search\", \"tidy\", \"weekly\""
        )
      }
      const json = yield* run("run", "nope", "--file", "a.csv", "--json")
      assert.strictEqual(JSON.parse(json.text).error.tag, "NoSuchJob")
      assert.strictEqual((yield* run("run", "TIDY")).code, 0)
    }))

  it.scoped("explain ends with the exit code of the run that it tells of", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      assert.strictEqual((yield* run("explain", "tidy")).code, 0)
      yield* run("run", "tidy")
      const refused = yield* run("explain", "tidy")
      assert.deepStrictEqual([refused.code, refused.text.startsWith("refused: ")], [3, true])
    }))

  it.scoped("a run elsewhere has an exit code of its own; --wait waits for it and ends as it did", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCli
      const gate = yield* Deferred.make<void>()
      gates.push(gate)
      const first = yield* operate(Effect.scoped(Effect.gen(function*() {
        const running = yield* JobOperator.start(gated, {})
        const refused = yield* run("run", "gated")
        assert.deepStrictEqual([refused.code, refused.error.includes("is already running")], [4, true])
        const waiting = yield* Effect.fork(run("run", "gated", "--wait"))
        yield* TestClock.adjust("10 seconds")
        yield* Deferred.succeed(gate, undefined)
        const ended = yield* running.await
        yield* TestClock.adjust("10 seconds")
        const waited = yield* Fiber.join(waiting)
        assert.strictEqual(waited.code, 0, waited.error)
        assert.include(waited.text, `gated runs as execution ${ended.id} in`)
        assert.strictEqual(waited.text.split(": waiting for it").length, 2)
        assert.include(waited.text, `gated execution ${ended.id} COMPLETED`)
        return ended
      })))
      assert.deepStrictEqual((yield* operate(JobOperator.executions({ jobName: "gated" }))).map(({ id }) => id), [
        first.id
      ])
    }))

  it.scoped("what failed or was stopped says with which command it goes on", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      broken = true
      const failed = yield* Effect.ensuring(run("run", "import", ...valid), Effect.sync(() => broken = false))
      const id = /execution (\d+)/.exec(failed.text)?.[1]
      assert.include(failed.text, `Go on from the last commit with: batch restart ${id}`)
      const restarted = yield* run("restart", id!)
      assert.notInclude(restarted.text, "Go on")
    }))

  it.scoped("the search for a bad row is one line, a chunk that is written at last another", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      const { text } = yield* run("run", "search")
      assert.deepStrictEqual(text.split("\n").filter((line) => /skipped item|rolled/.test(line)), [
        "  load skipped item 12 in write: Broken: eleven is bad",
        "  load rolled a chunk back: Hiccup: try again"
      ])
    }))

  it.scoped("a slow screen gets the last lines of a job that failed, too", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      for (let yields = 1; yields < 60; yields += 3) {
        slowness = yields
        const { text } = yield* Effect.ensuring(run("run", "post"), Effect.sync(() => void (slowness = 0)))
        assert.match(
          text,
          /vat (started|goes on.*)\n {2}vat rolled a chunk back: .*\n {2}vat FAILED: 0 read/,
          `${yields}`
        )
      }
    }))

  it.scoped("help is plain with NO_COLOR, with a dumb terminal and in a pipe, and bold where somebody looks", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      const isBold = (text: string) => text.includes("\u001b[1m")
      const kept = { NO_COLOR: process.env["NO_COLOR"], TERM: process.env["TERM"] }
      const help = (isTTY: boolean, environment: { readonly NO_COLOR?: string; readonly TERM?: string }) =>
        Effect.suspend(() => {
          isTerminal = isTTY
          Object.assign(process.env, { NO_COLOR: "", TERM: "xterm", ...environment })
          return Effect.map(run("--help"), ({ text }) => text)
        })
      yield* Effect.gen(function*() {
        const pipe = yield* help(false, {})
        assert.isTrue(isBold(yield* help(true, {})))
        for (const text of [pipe, yield* help(true, { NO_COLOR: "1" }), yield* help(true, { TERM: "dumb" })]) {
          assert.notInclude(text, "\u001b")
        }
        assert.isAtMost(Math.max(...pipe.split("\n").map(({ length }) => length)), 80)
      }).pipe(Effect.ensuring(Effect.sync(() => {
        isTerminal = false
        for (const [name, value] of Object.entries(kept)) {
          if (value === undefined) {
            delete process.env[name]
          } else {
            process.env[name] = value
          }
        }
      })))
    }))

  it.scoped("a misspelt flag or command is told the one that is meant, whatever else it holds", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      const misuses: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
        [["replay", "7", "--dryrun"], "--dry-run"],
        [["list", "executions", "--statsu", "FAILED"], "--status"],
        [["run", "import", "--fiel", "a.csv"], "--file"],
        [["relpay", "7"], "replay"],
        [["list", "exeuctions"], "executions"]
      ]
      for (const [args, meant] of misuses) {
        const { code, error, text } = yield* run(...args)
        assert.strictEqual(code, 2, args.join(" "))
        assert.match(`${error}${text}`, new RegExp(`did you mean "?${meant}`), args.join(" "))
      }
    }))

  it.scoped("text of records does not command the terminal", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCli
      const answers = [yield* run("run", "paint")]
      const [row] = yield* operate(JobOperator.executions())
      const id = String(row!.id)
      answers.push(yield* run("show", id), yield* run("skipped", id), yield* run("skipped", id, "--json"))
      for (const { text } of answers) {
        assert.include(text, "\\u001b[31mred")
        assert.notMatch(text, /(?!\n)[\p{Cc}\u202e]/u)
      }
      const [skipped] = JSON.parse(answers[3]!.text)
      assert.strictEqual(skipped.item, `a${PAINT}`)
      const imported = yield* run("run", "import", ...valid.map((text) => text === "a.csv" ? PAINT : text))
      assert.include(imported.text, "file=\\u001b[31mred")
      assert.notMatch(imported.text, /(?!\n)[\p{Cc}\u202e]/u)
    }))

  it.scoped("on a terminal there is a live line, which is gone at the end", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCli
      isTerminal = true
      const { text } = yield* Effect.ensuring(run("run", "import", ...valid), Effect.sync(() => isTerminal = false))
      assert.include(text, "\u001b[?7l  load")
      const drawn = text.split("\u001b[?7l").length - 1
      assert.strictEqual(text.split("\r\u001b[2K").length - 1, drawn)
    }))

  it.scoped("next counts up, graph draws, recover and stop report what they did", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCli
      yield* run("next", "tidy")
      const second = yield* run("next", "tidy", "--json")
      assert.deepStrictEqual(JSON.parse(second.text).parameters, [{ name: "run.id", value: 2, identifying: true }])
      yield* run("next", "weekly")
      const ofJob = yield* run("next", "weekly", "--json")
      assert.deepStrictEqual(JSON.parse(ofJob.text).parameters, [{ name: "week", value: 2, identifying: true }])
      const [row] = yield* operate(JobOperator.executions({ jobName: "tidy" }))
      const drawn = yield* run("graph", "import")
      assert.include(drawn.text, "flowchart TD")
      assert.include((yield* run("graph", "tidy", String(row!.id))).text, "COMPLETED")
      assert.include((yield* run("recover")).text, "nothing to recover")
      const stop = yield* run("stop", String(row!.id))
      assert.deepStrictEqual([stop.code, stop.error.includes("not running")], [2, true])
      assert.strictEqual((yield* run("show", "999")).code, 2)
      assert.strictEqual((yield* run("shwo", "1")).code, 2)
    }))
})

/** Lets everything that can go on do so. */
const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

describe("worker", () => {
  const spread = Job.make("spread", {
    flow: Step.partition("load", {
      plan: Partition.values(["a", "b"]),
      input: Schema.String,
      step: (part) => Step.tasklet("note", Effect.sync(() => void noted.push(part))),
      concurrency: 0
    })
  })
  const noted: Array<string> = []

  it.scoped("runs the partitions of jobs that run elsewhere, until it is interrupted (PART-16)", () =>
    Effect.gen(function*() {
      const { operate, out, run } = yield* makeCliOf([tidy, spread])
      const working = yield* Effect.fork(run("worker", "--slots", "2"))
      const ended = yield* Effect.fork(operate(JobOperator.run(spread, {})))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(ended)).status, "COMPLETED")
      assert.deepStrictEqual(noted.sort(), ["a", "b"])
      yield* Fiber.interrupt(working)
      const told = [...out]
      assert.deepStrictEqual(told, ["batch works on \"spread\" with 2 slots. Ctrl-C ends that.\n"])
    }))

  it.scoped("show lists what ran for an execution, slowest first, and says how much is not listed", () =>
    Effect.gen(function*() {
      const { operate, run } = yield* makeCliOf([spread])
      let asleep = 0
      const uneven = Job.make("uneven", {
        flow: Step.partition("load", {
          plan: Partition.values(Array.from({ length: 120 }, (_, index) => index)),
          input: Schema.Number,
          step: (part) =>
            Step.tasklet(
              "wait",
              Effect.suspend(() => (asleep++, Effect.sleep(`${part === 0 ? 60 : part < 10 ? part : 0} seconds`)))
            ),
          concurrency: 12
        })
      })
      const running = yield* Effect.fork(operate(JobOperator.run(uneven, {})))
      // What takes no time is over before the clock moves, and what a second ends before the next one.
      yield* Effect.repeat(turn, { until: () => asleep === 120 })
      yield* Effect.repeatN(turn, 10)
      for (let second = 0; second < 70; second++) {
        yield* TestClock.adjust("1 second")
        yield* Effect.repeatN(turn, 10)
      }
      const { id } = yield* Fiber.join(running)
      const lines = (yield* run("show", String(id))).text.split("\n")
      assert.include(lines, "Partitions of load: 120 completed")
      const at = lines.findIndex((line) => line.startsWith("PARTITION"))
      assert.deepStrictEqual(
        lines.slice(at + 1, at + 11).map((line) => line.trim().split(/\s+/)[0]),
        ["0", "9", "8", "7", "6", "5", "4", "3", "2", "1"]
      )
      assert.strictEqual(lines[at + 11], `The slowest 10; others: partitions ${id}`)
      const all = (yield* run("partitions", String(id), "--limit=200")).text.split("\n")
      assert.strictEqual(all.filter((line) => /^ *[0-9]+ +completed/.test(line)).length, 120)
      const planned = (yield* run("partitions", String(id), "--planned", "--limit=3")).text.split("\n")
      assert.deepStrictEqual(planned.slice(2, 5).map((line) => line.trim().split(/\s+/)[0]), ["0", "1", "2"])
      const json = JSON.parse((yield* run("partitions", String(id), "--json", "--limit=1")).text)
      assert.deepStrictEqual(
        [json[0].step, json[0].tally.completed, json[0].partitions.length, json[0].partitions[0].name],
        ["load", 120, 1, "0"]
      )
    }))

  it.scoped("partitions says why one failed, and which ones stand as asked for", () =>
    Effect.gen(function*() {
      const broken = Job.make("broken", {
        flow: Step.partition("load", {
          plan: Partition.values(["a", "b", "c"]),
          input: Schema.String,
          step: (part) => Step.tasklet("rows", part === "b" ? Effect.fail(new Error("no such table")) : Effect.void)
        })
      })
      const { operate, run } = yield* makeCliOf([broken, tidy])
      const { id } = yield* operate(JobOperator.run(broken, {}))
      const { text } = yield* run("partitions", String(id), "--standing=failed")
      assert.include(text, "Partitions of load: 2 completed, 1 failed")
      assert.match(text, /\nb +failed .*no such table/)
      assert.notInclude(text, "\na ")
      const plain = yield* operate(JobOperator.run(tidy, {}))
      assert.include((yield* run("partitions", String(plain.id))).text, "has planned no partitions")
      assert.strictEqual((yield* run("partitions", "4711")).code, 2)
      assert.strictEqual((yield* run("partitions", String(id), "--standing=lazy")).code, 2)
    }))

  it.scoped("a terminal shows a bar for each slot, slowest first, and lines for what failed only", () =>
    Effect.gen(function*() {
      const many = Job.make("many", {
        flow: Step.partition("load", {
          plan: Partition.values(Array.from({ length: 30 }, (_, index) => index)),
          input: Schema.Number,
          step: (part) =>
            Step.tasklet(
              "wait",
              Effect.zipRight(Effect.sleep(`${30 - part} seconds`), part === 7 ? Effect.fail("no") : Effect.void)
            ),
          concurrency: 10
        })
      })
      for (const terminal of [true, false]) {
        isTerminal = terminal
        yield* Effect.addFinalizer(() => Effect.sync(() => void (isTerminal = false)))
        const { run } = yield* makeCliOf([many])
        const running = yield* Effect.fork(run("run", "many"))
        for (let second = 0; second < 200; second++) {
          yield* TestClock.adjust("1 second")
        }
        const { text } = yield* Fiber.join(running)
        assert.strictEqual(text.match(/7 of many\/load FAILED: no/g)?.length, 1)
        assert.notInclude(text, "3 of many/load")
        assert.notInclude(text, "load runs as execution")
        if (terminal) {
          assert.match(text, /\n {2}1 {2}[0-9.]+ s\n {2}2 {2}[0-9.]+ s\n/)
          assert.include(text, "; the slowest 8 are shown")
        } else {
          assert.match(text, /partitions: 10 running, [0-9]+ ended/)
        }
      }
    }))

  it.scoped("is refused when it could not do anything", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCliOf([spread])
      for (const flag of ["--slots", "--processes"]) {
        for (const value of ["0", "-1", "1.5", "many"]) {
          const { code, error } = yield* run("worker", `${flag}=${value}`)
          assert.deepStrictEqual([code, error.startsWith(`${flag} must be`)], [2, true], error)
        }
      }
      const none = yield* Effect.flatMap(makeCliOf([tidy]), ({ run }) => run("worker"))
      assert.deepStrictEqual([none.code, none.error.includes("No job of this program has a partitioned step")], [
        2,
        true
      ])
    }))

  it.scoped("is explained by its help", () =>
    Effect.gen(function*() {
      const { run } = yield* makeCliOf([spread])
      const { text } = yield* run("worker", "--help")
      assert.strictEqual(
        text,
        `Run partitions of jobs that other processes run, until a signal; what it is at
is then handed over.

Usage
  batch worker [--slots <number>] [--processes <number>]

Options
  --slots <number>      Partitions that run at once in a process; default 1
  --processes <number>  Processes: copies of this one, started again when they
                        are killed; default 1
`
      )
    }))
})

const quiet: Layer.Layer<Terminal.Terminal> = Layer.succeed(
  Terminal.Terminal,
  Terminal.Terminal.of({
    columns: Effect.succeed(100),
    rows: Effect.succeed(30),
    isTTY: Effect.succeed(false),
    readInput: Effect.die("no input"),
    readLine: Effect.die("no input"),
    display: () => Effect.void
  })
)
