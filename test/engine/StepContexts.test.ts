/**
 * What code in a step puts into its context and into that of its job: all of it becomes durable with the commit of its
 * chunk or call, and nothing of what was rolled back does. One model for rollbacks, searches, failures, chunks that are
 * prepared while the one in front is written, and branches side by side.
 */
import { assert, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import {
  type BatchEvent,
  ExecutionContext,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobScope,
  Step,
  StepScope,
  Tasklet
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"

/** How a chunk of two records, or a call of a tasklet, goes. */
type Turn =
  | "well"
  /** Its first two writes fail and are repeated. */
  | "repeated"
  /** Its second record is refused and skipped. */
  | "searched"
  | "fails in the processor"
  | "fails in the writer"
  /** It writes, and asks for the end of the step. */
  | "last"

interface Branch {
  readonly kind: "chunks" | "calls"
  readonly turns: ReadonlyArray<Turn>
  /** Whether the next chunk is prepared beside a write, and how many turns of the event loop that takes. */
  readonly prefetch: number | undefined
}

class Again extends Data.TaggedError("Again") {}
class Bad extends Data.TaggedError("Bad") {}
class Broken extends Data.TaggedError("Broken") {}

/** What is stored of one branch: the keys of the step, and its keys in the job's context. */
type Stored = Readonly<Record<string, number>>

const key = (name: string) => ExecutionContext.key(name, Schema.Number)

/** In both contexts; what the processor notes is removed again by every other write. */
const note = (branch: number, name: string, value: number) =>
  Effect.zipRight(StepScope.set(key(name), value), JobScope.set(key(`${branch} ${name}`), value))

const forget = (branch: number, name: string) =>
  Effect.zipRight(StepScope.remove(key(name)), JobScope.remove(key(`${branch} ${name}`)))

interface Item {
  readonly turn: Turn
  readonly at: number
  readonly second: boolean
}

// -- the steps ----------------------------------------------------------------------------------------------------------

const pause = (count: number): Effect.Effect<void> =>
  count === 0 ? Effect.void : Effect.flatMap(
    Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void))),
    () => pause(count - 1)
  )

const chunks = (index: number, { prefetch, turns }: Branch) => {
  const writes = turns.map(() => 0)
  let attempts = 0
  return Step.chunk(`branch ${index}`, {
    reader: ItemReader.fromIterable(
      turns.flatMap((turn, at): ReadonlyArray<Item> => [{ turn, at, second: false }, { turn, at, second: true }])
    ),
    processor: (item: Item) =>
      Effect.gen(function*() {
        yield* note(index, "processed", item.at * 2 + (item.second ? 1 : 0))
        if (item.turn === "fails in the processor" && item.second) {
          return yield* new Broken()
        }
        return item
      }),
    writer: ItemWriter.fromFunction((items: ReadonlyArray<Item>) =>
      Effect.gen(function*() {
        const { at, turn } = items[0]!
        yield* note(index, "written", ++attempts)
        yield* at % 2 === 1 ? forget(index, "processed") : Effect.void
        yield* pause(prefetch ?? 0)
        if (turn === "last") {
          yield* StepScope.requestStop
        }
        if (turn === "repeated" && writes[at]!++ < 2) {
          yield* new Again()
        }
        if (turn === "fails in the writer") {
          yield* new Broken()
        }
        if (turn === "searched" && items.some(({ second }) => second)) {
          yield* new Bad()
        }
      })
    ),
    chunkSize: 2,
    prefetch: prefetch !== undefined
  }).pipe(
    Step.retry("Again", { times: 2 }),
    Step.skip("Bad", { limit: 100 })
  )
}

const calls = (index: number, { turns }: Branch) => {
  let call = 0
  return Step.tasklet(
    `branch ${index}`,
    Effect.gen(function*() {
      const at = call++
      yield* note(index, "processed", at)
      yield* note(index, "written", at)
      yield* at % 2 === 1 ? forget(index, "processed") : Effect.void
      if (turns[at] === "last") {
        yield* StepScope.requestStop
      }
      if (turns[at]?.startsWith("fails")) {
        return yield* new Broken()
      }
      return Tasklet.continueIf(call < turns.length)
    })
  )
}

// -- the rules ----------------------------------------------------------------------------------------------------------

interface Expected {
  /** What each commit stores. */
  readonly commits: ReadonlyArray<Stored>
  readonly status: "COMPLETED" | "FAILED" | "STOPPED"
}

/** As plainly as possible: one thing after the other, and everything that fails is undone. */
const expectedOf = ({ kind, turns }: Branch): Expected => {
  const commits: Array<Stored> = []
  let attempts = 0
  const written = (stored: Stored, at: number): Stored => {
    const { processed, ...others } = stored
    const now = { ...others, written: kind === "calls" ? at : ++attempts }
    return at % 2 === 1 ? now : { ...now, processed: processed! }
  }
  for (const [at, turn] of turns.entries()) {
    const before = commits[commits.length - 1] ?? {}
    const processed = { ...before, processed: kind === "calls" ? at : at * 2 + 1 }
    if (turn.startsWith("fails")) {
      return { commits, status: "FAILED" }
    }
    if (turn === "searched" && kind === "chunks") {
      attempts++
      commits.push(written(processed, at))
      attempts++
      // What is left has no outputs, so nothing is written.
      commits.push(commits[commits.length - 1]!)
    } else {
      attempts += turn === "repeated" ? 2 : 0
      commits.push(written(processed, at))
    }
    if (turn === "last") {
      return { commits, status: "STOPPED" }
    }
  }
  return { commits, status: "COMPLETED" }
}

/** A chunk that was prepared beside one that asked for the end is written as well, or fails; nothing behind it is. */
const endings = (branch: Branch): ReadonlyArray<Expected> => {
  const last = branch.turns.indexOf("last")
  const expected = expectedOf(branch)
  if (branch.kind === "calls" || branch.prefetch === undefined || expected.status !== "STOPPED") {
    return [expected]
  }
  const further = expectedOf({
    ...branch,
    turns: branch.turns.slice(0, last + 2).map((turn, at) => at === last ? "well" : turn)
  })
  return [expected, { ...further, status: further.status === "FAILED" ? "FAILED" : "STOPPED" }]
}

// -- the model ----------------------------------------------------------------------------------------------------------

const turn = FastCheck.oneof(
  { weight: 5, arbitrary: FastCheck.constant<Turn>("well") },
  { weight: 2, arbitrary: FastCheck.constant<Turn>("repeated") },
  { weight: 2, arbitrary: FastCheck.constant<Turn>("searched") },
  {
    weight: 1,
    arbitrary: FastCheck.constantFrom<Array<Turn>>("fails in the processor", "fails in the writer")
  }
)

const branchOf = (turn: FastCheck.Arbitrary<Turn>): FastCheck.Arbitrary<Branch> =>
  FastCheck.record({
    kind: FastCheck.constantFrom<Array<Branch["kind"]>>("chunks", "chunks", "chunks", "calls"),
    turns: FastCheck.array(turn, { minLength: 1, maxLength: 5 }),
    prefetch: FastCheck.constantFrom(undefined, 0, 1, 4)
  })

/** Several side by side, or one that may ask for its end, which would end the others too. */
const branches: FastCheck.Arbitrary<ReadonlyArray<Branch>> = FastCheck.oneof(
  FastCheck.array(branchOf(turn), { minLength: 1, maxLength: 3 }),
  FastCheck.tuple(branchOf(FastCheck.oneof(turn, turn, FastCheck.constant<Turn>("last"))))
)

const numbersOf = (context: ExecutionContext.ExecutionContext): Stored => JSON.parse(ExecutionContext.toJson(context))

const ofBranch = (stored: Stored, branch: number): Stored =>
  Object.fromEntries(
    Object.entries(stored).flatMap(([name, value]) => name.startsWith(`${branch} `) ? [[name.slice(2), value]] : [])
  )

let runs = 0

const run = (branches: ReadonlyArray<Branch>) =>
  Effect.gen(function*() {
    const steps = branches.map((branch, index) =>
      branch.kind === "calls" ? calls(index, branch) : chunks(index, branch)
    )
    const hub = yield* PubSub.unbounded<BatchEvent.BatchEvent>()
    const published = yield* PubSub.subscribe(hub)
    const job = Job.make(`contexts ${runs++}`, { flow: Flow.split(steps, { concurrency: "unbounded" }) })
    const ended = yield* Effect.provideService(JobOperator.run(job, {}), JobOperator.Events, hub)
    const events = Chunk.toReadonlyArray(yield* Queue.takeAll(published))
    const stored = yield* JobOperator.steps(ended.id)
    return {
      job: numbersOf((yield* JobOperator.execution(ended.id)).context),
      branches: branches.map((_, index) => {
        const step = stored.find(({ stepName }) => stepName === `branch ${index}`)
        return {
          status: step?.status,
          context: numbersOf(step!.context),
          commits: events.flatMap((event) =>
            event._tag === "ChunkCommitted" && event.step.id === step?.id ? [numbersOf(event.step.context)] : []
          )
        }
      })
    }
  })

for (const { layer, name } of drivers) {
  it.layer(layer, { timeout: 300_000 })(`the contexts of steps (${name})`, (it) => {
    it.effect.prop(
      "hold after each commit what was put into them up to there, and nothing that was rolled back (CTX-9, CTX-10)",
      [branches],
      ([branches]) =>
        Effect.scoped(Effect.gen(function*() {
          const outcome = yield* run(branches)
          branches.forEach((branch, index) => {
            const got = outcome.branches[index]!
            const possible = endings(branch)
            const expected = possible.find(({ commits, status }) =>
              status === got.status && commits.length === got.commits.length
            ) ?? possible[0]!
            const last = expected.commits[expected.commits.length - 1] ?? {}
            assert.deepStrictEqual<unknown>(got, { ...expected, context: last }, `branch ${index}`)
            assert.deepStrictEqual(ofBranch(outcome.job, index), last, `the job's context, branch ${index}`)
          })
        })),
      { fastCheck: { numRuns: name === "memory" ? 200 : 25 }, timeout: 300_000 }
    )
  })

  it.layer(layer, { timeout: 300_000 })(`one key of a context (${name})`, (it) => {
    it.effect.each([false, true])(
      "that processor and writer count in, and branches side by side, loses nothing; prefetch: %s (OWN-7)",
      (prefetch) =>
        Effect.gen(function*() {
          const count = key("count")
          const plusOne = (value: Option.Option<number>) => Option.getOrElse(value, () => 0) + 1
          const countOnce = Effect.zipRight(StepScope.update(count, plusOne), JobScope.update(count, plusOne))
          const branch = (name: string) =>
            Step.chunk(name, {
              reader: ItemReader.fromIterable([1, 2, 3, 4, 5, 6, 7]),
              processor: (item: number) => Effect.as(countOnce, item),
              writer: ItemWriter.fromFunction(() =>
                pause(2).pipe(Effect.zipRight(countOnce), Effect.zipRight(pause(2)))
              ),
              chunkSize: 2,
              prefetch
            })
          const job = Job.make(`counts in one key ${runs++}`, {
            flow: Flow.split([branch("one"), branch("two")], { concurrency: "unbounded" })
          })
          const ended = yield* JobOperator.run(job, {})
          const steps = yield* JobOperator.steps(ended.id)
          assert.deepStrictEqual(steps.map(({ context }) => numbersOf(context)), [{ count: 11 }, { count: 11 }])
          assert.deepStrictEqual(numbersOf((yield* JobOperator.execution(ended.id)).context), { count: 22 })
        })
    )
  })
}
