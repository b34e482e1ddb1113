/**
 * Flows in a hostile world: every callback of the user may fail, throw, stop the job or choose a code of its own at its
 * n-th call, and the process dies at points that are told beforehand. All faults are finite, so a job comes to its end.
 */
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  ExitStatus,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  Step,
  StepScope,
  Tasklet
} from "../../../src/index.js"
import { CurrentTransaction } from "../../../src/ports/Transactor.js"
import type { Tree } from "./tree.js"
import { memoized, scriptOf, toFlow } from "./tree.js"

/** What goes wrong, or another way than usual. */
export type Action =
  | "fail"
  | "throw"
  | "interrupt"
  | "stop from outside"
  | "stop from outside and hang"
  | "terminateOnly"
  | "code"
  | "code and fail"
  | "FAILED"
  | "add code"
  | "raise to FAILED"

export const actions: ReadonlyArray<Action> = [
  "fail",
  "throw",
  "interrupt",
  "stop from outside",
  "stop from outside and hang",
  "terminateOnly",
  "code",
  "code and fail",
  "FAILED",
  "add code",
  "raise to FAILED"
]

/**
 * - `faults`: the n-th call of a callback, over all executions, does that.
 * - `kills`: at which point the n-th execution dies.
 * - `script`: what deciders answer.
 * - `kinds`: what the steps are (calls, chunks, jobs, partitions), and who listens, by their number.
 */
export interface Hostile {
  readonly tree: Tree
  readonly faults: ReadonlyArray<readonly [at: number, action: Action]>
  readonly kills: ReadonlyArray<number>
  readonly script: ReadonlyArray<number>
  readonly kinds: ReadonlyArray<number>
}

export const hostile = (trees: fc.Arbitrary<Tree>): fc.Arbitrary<Hostile> =>
  fc.record({
    tree: trees,
    faults: fc.array(fc.tuple(fc.nat(40), fc.constantFrom(...actions)), { maxLength: 6 }),
    kills: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 3 }),
    script: fc.array(fc.nat(59), { minLength: 7, maxLength: 7 }),
    kinds: fc.array(fc.nat(999), { minLength: 5, maxLength: 5 })
  })

/** What a job does, and what it has durably done: `place round item`. */
export interface World {
  readonly job: Job.Job<{}, string, unknown, any>
  readonly done: Array<string>
  /** The names of the calls in their order, with what went wrong. */
  readonly calls: Array<string>
  readonly fired: Map<Action, number>
}

class ChildParameters extends JobParameters.Tag<ChildParameters>()("ChildParameters", { key: Schema.String }) {}

const MAY_RAISE = ["afterStep", "afterChunk", "write", "process"]

const ITEMS = 3

const PARTITIONS = ["a", "b", "c"]

/** What a step does in one visit of its place. */
export const worksOf = (kinds: ReadonlyArray<number>, name: string): ReadonlyArray<string> =>
  isChunk(kinds, name)
    ? Array.from({ length: ITEMS }, (_, item) => `item ${item}`)
    : isPartitioned(kinds, name)
    ? PARTITIONS.flatMap((partition) => [`${partition} call`, `${partition} more`])
    : ["call"]

export const kindOf = (kinds: ReadonlyArray<number>, name: string): number =>
  kinds[[...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % kinds.length]!

export const isChunk = (kinds: ReadonlyArray<number>, name: string): boolean => kindOf(kinds, name) % 4 === 1
export const isJobStep = (kinds: ReadonlyArray<number>, name: string): boolean => kindOf(kinds, name) % 8 === 2
export const isPartitioned = (kinds: ReadonlyArray<number>, name: string): boolean => kindOf(kinds, name) % 8 === 6

export const makeWorld = ({ faults, kinds, script, tree }: Hostile): World => {
  const done: Array<string> = []
  const calls: Array<string> = []
  const fired = new Map<Action, number>()
  const durable = Effect.runSync(Effect.scoped(ItemWriter.inMemory(done).open(Option.none())))
  const answers = scriptOf(script)
  const asked = new Map<string, number>()

  /** One call of a callback. `usual`: what it does when nothing goes wrong; `failing` has done that before. */
  const called = <A>(what: string, usual: Effect.Effect<A, any, any>, codes?: (code: string) => A) => {
    const at = calls.push(what) - 1
    const planned = faults.find(([when]) => when === at)?.[1]
    // A tasklet that has called its step a failure before it ends has not ended well, and is called again.
    const action = planned === "raise to FAILED" && !MAY_RAISE.some((each) => what.endsWith(each)) ? "fail" : planned
    if (action === undefined) {
      return Effect.zipRight(Effect.yieldNow(), usual)
    }
    calls[at] = `${what}: ${action}`
    fired.set(action, (fired.get(action) ?? 0) + 1)
    return hostileCall(action, usual, codes)
  }

  const log = (items: ReadonlyArray<string>) =>
    Effect.flatMap(
      StepScope.execution,
      ({ place, round }) => durable.write(items.map((item) => `${place} ${round} ${item}`))
    )
  const child = Job.make("child", {
    parameters: ChildParameters,
    flow: Step.tasklet(
      "work",
      Effect.flatMap(ChildParameters, ({ key }) => called(`child ${key} call`, durable.write([`${key} call`])))
    ) as any
  }) as Job.Job<{ readonly key: string }, string, any, any>
  /** A partition calls twice, and knows from its input for which visit of which place. */
  const partitioned = (name: string, kind: number) =>
    Step.partition(name, {
      plan: Effect.map(StepScope.execution, ({ place, round }) =>
        PARTITIONS.map((partition) => ({ name: partition, input: `${place} ${round} ${partition}` }))),
      input: Schema.String,
      step: (input, { name: partition }) =>
        Flow.andThen(
          ...["call", "more"].map((what) =>
            Step.tasklet(
              what,
              Effect.suspend(() =>
                called(`${name} ${partition} ${what}`, durable.write([`${input} ${what}`]))
              )
            )
          ) as [any, any]
        ),
      concurrency: 1 + kind % 3,
      onPartitionFailure: kind % 5 === 0 ? "stop" : "continue",
      version: "1"
    })
  const stepOf = (name: string, always: boolean): Step.Step<any, any, any> => {
    const kind = kindOf(kinds, name)
    const body: Step.Step<any, any, any> = isChunk(kinds, name)
      ? Step.chunk(name, {
        reader: ItemReader.fromIterable(worksOf(kinds, name)),
        processor: (item: string) => called(`${name} process`, Effect.succeed(item)),
        writer: ItemWriter.make(name, {
          delivery: "transactional",
          open: () =>
            Effect.succeed({
              write: (items: ReadonlyArray<string>) => called(`${name} write`, log(items)) as Effect.Effect<void>
            })
        }),
        chunkSize: 1 + kind % 2,
        prefetch: kind % 3 === 0
      }) as any
      : isJobStep(kinds, name)
      ? Step.job(name, child, {
        parameters: Effect.map(StepScope.execution, ({ place, round }) => ({ key: `${place} ${round}` }))
      }) as any
      : isPartitioned(kinds, name)
      ? partitioned(name, kind) as any
      : Step.tasklet(
        name,
        Effect.suspend(() => called(`${name} call`, log(["call"]), Tasklet.finishedWith as any))
      ) as any
    const coded = kind % 7 === 0
      ? Step.exitCode(body, ["COMPLETED", "CUSTOM"], () => {
        calls.push(`${name} exitCode`)
        return "CUSTOM" as const
      })
      : body
    const heard = Step.listen(coded as any, listener(name)) as any
    // A child that is complete refuses to run again.
    return always && !isJobStep(kinds, name) ? Step.allowStartIfComplete(heard) : heard
  }
  const listener = (name: string): any => {
    const kind = kindOf(kinds, name)
    const callback = (what: string) => () => called(`${name} ${what}`, Effect.void, ExitStatus.make as any)
    return Object.fromEntries(
      ["beforeStep", "afterStep", "beforeChunk", "beforeCommit", "afterChunk", "afterChunkError"]
        .filter((_, bit) => (kind >> (bit + 3)) % 2 === 1)
        .map((what) => [what, callback(what)])
    )
  }
  const flow = toFlow(tree, {
    step: memoized(stepOf),
    flowStep: (step, name) => Step.listen(step as any, listener(name)) as any,
    answer: (name) =>
      called(
        `${name} asked`,
        Effect.sync(() => {
          const n = asked.get(name) ?? 0
          asked.set(name, n + 1)
          const answer = answers(name, n)
          return answer === "FAILED" ? "LEFT" : answer
        }),
        (code) => code === "FAILED" ? code : "LEFT"
      )
  })
  const job = Job.make("hostile", {
    flow,
    listeners: [{
      beforeJob: () => called("beforeJob", Effect.void),
      afterJob: () => called("afterJob", Effect.void)
    }]
  } as any) as unknown as World["job"]
  return { job, done, calls, fired }
}

const hostileCall = <A>(
  action: Action,
  usual: Effect.Effect<A, any, any>,
  codes: ((code: string) => A) | undefined
): Effect.Effect<A, any, any> => {
  const inStep = (effect: Effect.Effect<unknown, any, StepScope.StepScope>) =>
    Effect.flatMap(
      Effect.serviceOption(StepScope.StepScope),
      Option.match({
        onNone: () => Effect.void,
        onSome: (scope) => Effect.provideService(effect, StepScope.StepScope, scope)
      })
    )
  const stop = Effect.flatMap(
    JobOperator.executions({ limit: 9 }),
    // Also one that has ended and still tells its listeners.
    (all) => Effect.forEach(all, ({ id }) => Effect.ignore(JobOperator.stop(id)))
  ).pipe(
    // An operator does not sit in the transaction of a step.
    Effect.locally(CurrentTransaction, undefined)
  )
  switch (action) {
    case "fail":
      return Effect.zipRight(usual, Effect.fail("failed"))
    case "throw":
      throw new Error("thrown")
    case "interrupt":
      return Effect.zipRight(usual, Effect.interrupt)
    case "stop from outside":
      return Effect.zipRight(stop, usual)
    case "stop from outside and hang":
      return Effect.zipRight(stop, Effect.zipRight(usual, Effect.async<never>(() => {})))
    case "terminateOnly":
      return Effect.zipRight(inStep(StepScope.requestStop), usual)
    case "code":
      return codes === undefined ? usual : Effect.as(usual, codes("CUSTOM"))
    case "code and fail":
      return Effect.zipRight(
        inStep(StepScope.addExitStatus(ExitStatus.make("CUSTOM"))),
        Effect.zipRight(usual, Effect.fail("failed"))
      )
    case "FAILED":
      return codes === undefined ? usual : Effect.as(usual, codes("FAILED"))
    case "add code":
      return Effect.zipRight(inStep(StepScope.addExitStatus(ExitStatus.make("CUSTOM"))), usual)
    case "raise to FAILED":
      return Effect.zipRight(inStep(StepScope.upgradeStatus("FAILED")), usual)
  }
}
