/**
 * Steps, flows, jobs, the parts of a chunk step and policies as values: what they are told by, how they print, and that
 * every combinator takes its subject first or last.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { inspect } from "node:util"
import { definitionOf, nodeOf } from "../../src/definition/tree.js"
import {
  CompletionPolicy,
  Flow,
  ItemProcessor,
  ItemReader,
  ItemWriter,
  Job,
  JobParameters,
  RetryPolicy,
  SkipPolicy,
  StandardListeners,
  Step
} from "../../src/index.js"

class Bad extends Data.TaggedError("Bad")<{}> {}
class Params extends JobParameters.Tag<Params>()("Params", { file: Schema.String }) {}

const reader = ItemReader.fromIterable([1, 2, 3], { name: "numbers" })
const processor = ItemProcessor.mapEffect((n: number) => n === 2 ? Effect.fail(new Bad()) : Effect.succeed(n))
const writer = ItemWriter.withName(ItemWriter.discard, "nowhere")
const load = Step.chunk("load", { reader, processor, writer, chunkSize: 2 })
const once = Step.tasklet("once", Effect.void)
const flow = Flow.andThen(load, once)
const job = Job.make("import", { parameters: Params, flow })
const values = {
  reader,
  processor,
  writer,
  load,
  once,
  flow,
  job,
  skip: SkipPolicy.never,
  retry: RetryPolicy.never,
  completion: CompletionPolicy.never
}

const guards: Readonly<Record<string, readonly [(value: unknown) => boolean, ReadonlyArray<keyof typeof values>]>> = {
  isItemReader: [ItemReader.isItemReader, ["reader"]],
  isItemProcessor: [ItemProcessor.isItemProcessor, ["processor"]],
  isItemWriter: [ItemWriter.isItemWriter, ["writer"]],
  isStep: [Step.isStep, ["load", "once"]],
  isChunkStep: [Step.isChunkStep, ["load"]],
  isFlow: [Flow.isFlow, ["load", "once", "flow"]],
  isJob: [Job.isJob, ["job"]],
  isSkipPolicy: [SkipPolicy.isSkipPolicy, ["skip"]],
  isRetryPolicy: [RetryPolicy.isRetryPolicy, ["retry"]],
  isCompletionPolicy: [CompletionPolicy.isCompletionPolicy, ["completion"]]
}

describe("values", () => {
  it.each(Object.entries(guards))("%s holds for its own kind and for nothing else", (_, [guard, own]) => {
    for (const [name, value] of Object.entries(values)) {
      assert.strictEqual(guard(value), own.includes(name as keyof typeof values), name)
    }
    for (const other of [undefined, null, 1, "load", {}, [], () => load, Params]) {
      assert.isFalse(guard(other))
    }
  })

  it("print their kind and their name", () => {
    const shown = (value: object) => JSON.parse(JSON.stringify(value))
    assert.deepStrictEqual(shown(load), { _id: "Step", kind: "chunk", name: "load" })
    assert.deepStrictEqual(shown(once), { _id: "Step", kind: "tasklet", name: "once" })
    assert.deepStrictEqual(shown(Step.flow("both", flow)), { _id: "Step", kind: "flow", name: "both" })
    assert.deepStrictEqual(shown(Step.job("child", Job.make("c", { flow: once }))), {
      _id: "Step",
      kind: "job",
      name: "child"
    })
    assert.deepStrictEqual(shown(flow), { _id: "Flow", kind: "AndThen" })
    assert.deepStrictEqual(shown(job), { _id: "Job", name: "import" })
    assert.deepStrictEqual(shown(reader), { _id: "ItemReader", name: "numbers" })
    assert.deepStrictEqual(shown(writer), { _id: "ItemWriter", name: "nowhere", delivery: "transactional" })
    assert.include(inspect(load), "'load'")
    assert.include(String(job), `"import"`)
  })

  it("show nothing of what they are made of", () => {
    assert.deepStrictEqual(Object.keys(load), ["name"])
    assert.deepStrictEqual(Object.keys(job), ["name"])
    assert.deepStrictEqual(Object.keys(flow), [])
    assert.strictEqual(definitionOf(job).name, "import")
  })
})

/** The settings of a step without functions, which are not comparable. */
const settings = (step: Step.Step.Any) => {
  const node = nodeOf(step)
  assert.strictEqual(node._tag, "Step")
  return JSON.parse(JSON.stringify(
    node._tag === "Step" ? node.definition.settings : {},
    (_, value) => typeof value === "function" ? "function" : value === Infinity ? "unlimited" : value
  ))
}

describe("combinators of steps", () => {
  const policy = SkipPolicy.always
  const retries = RetryPolicy.fromSchedule(Schedule.recurs(1))
  const cases: Readonly<Record<string, readonly [Step.Step.Any, Step.Step.Any]>> = {
    skip: [load.pipe(Step.skip("Bad", { limit: 1 })), Step.skip(load, "Bad", { limit: 1 })],
    skipWith: [load.pipe(Step.skipWith(policy)), Step.skipWith(load, policy)],
    retry: [load.pipe(Step.retry("Bad", { times: 2 })), Step.retry(load, "Bad", { times: 2 })],
    "retry without options": [load.pipe(Step.retry("Bad")), Step.retry(load, "Bad")],
    retryWith: [load.pipe(Step.retryWith(retries)), Step.retryWith(load, retries)],
    noRollback: [load.pipe(Step.noRollback("Bad")), Step.noRollback(load, "Bad")],
    scan: [load.pipe(Step.scan("one-by-one")), Step.scan(load, "one-by-one")],
    quarantine: [load.pipe(Step.quarantine()), Step.quarantine(load)],
    "quarantine with a schema": [
      load.pipe(Step.quarantine({ input: Schema.Number })),
      Step.quarantine(load, { input: Schema.Number })
    ],
    listen: [
      load.pipe(Step.listen(StandardListeners.logItemErrors)),
      Step.listen(load, StandardListeners.logItemErrors)
    ],
    exitCode: [
      load.pipe(Step.exitCode(["A", "B"], () => "A" as const)),
      Step.exitCode(load, ["A", "B"], () => "A" as const)
    ],
    startLimit: [load.pipe(Step.startLimit(2)), Step.startLimit(load, 2)],
    onListenerFailure: [load.pipe(Step.onListenerFailure("log")), Step.onListenerFailure(load, "log")],
    withTransaction: [
      load.pipe(Step.withTransaction({ timeout: "1 second" })),
      Step.withTransaction(load, { timeout: "1 second" })
    ]
  }

  it.each(Object.entries(cases))("%s takes the step last or first", (_, [last, first]) => {
    assert.notDeepEqual(settings(last), settings(load))
    assert.deepStrictEqual(settings(first), settings(last))
  })
})
