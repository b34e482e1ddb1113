/**
 * The numbers 1 to n on their way through a step, some of which make trouble, and a record of what happened.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Step } from "../../../src/index.js"
import { Counts, ItemProcessor, ItemReader, ItemWriter, Job, JobOperator } from "../../../src/index.js"

export class Bad extends Data.TaggedError("Bad")<{ readonly item: number }> {
  override get message(): string {
    return `item ${this.item} is bad`
  }
}

/** The numbers that fail in a phase. `times`: how often each does; always, if not given. */
export interface Trouble {
  readonly read?: ReadonlyArray<number> | undefined
  readonly process?: ReadonlyArray<number> | undefined
  readonly filter?: ReadonlyArray<number> | undefined
  readonly write?: ReadonlyArray<number> | undefined
  readonly times?: number | undefined
}

export const makeWorld = (count: number, trouble: Trouble = {}) => {
  const written: Array<number> = []
  const pulls: Array<number> = []
  const processed: Array<number> = []
  const writes: Array<ReadonlyArray<number>> = []
  const failures = new Map<string, number>()
  const fails = (phase: "read" | "process" | "write", item: number): boolean => {
    const times = failures.get(`${phase} ${item}`) ?? 0
    if (trouble[phase]?.includes(item) !== true || times >= (trouble.times ?? Infinity)) {
      return false
    }
    failures.set(`${phase} ${item}`, times + 1)
    return true
  }
  return {
    written,
    pulls,
    processed,
    writes,
    /** Gives what is unreadable as a bad record. */
    reader: ItemReader.make("numbers", (from: Option.Option<ItemReader.Position>) =>
      Effect.sync(() => {
        let next = Option.match(from, { onNone: () => 1, onSome: Number })
        return {
          pull: (max: number): Effect.Effect<ItemReader.Page<number, Bad>> =>
            Effect.sync(() => {
              pulls.push(max)
              const items: Array<number> = []
              let failure = Option.none<Bad>()
              for (; items.length < max && next <= count && Option.isNone(failure); next++) {
                if (fails("read", next)) {
                  failure = Option.some(new Bad({ item: next }))
                } else {
                  items.push(next)
                }
              }
              return { items, position: next, failure, done: next > count }
            })
        }
      })),
    processor: ItemProcessor.filterMapEffect((item: number): Effect.Effect<Option.Option<number>, Bad> =>
      Effect.suspend(() => {
        processed.push(item)
        return fails("process", item)
          ? Effect.fail(new Bad({ item }))
          : Effect.succeed(trouble.filter?.includes(item) === true ? Option.none() : Option.some(item))
      })
    ),
    writer: ItemWriter.make("numbers", {
      delivery: "transactional",
      open: () =>
        Effect.map(ItemWriter.inMemory(written).open(Option.none()), (memory) => ({
          write: (items: ReadonlyArray<number>): Effect.Effect<void, Bad> =>
            Effect.suspend(() => {
              writes.push(items)
              const bad = items.find((item) => fails("write", item))
              return bad === undefined ? memory.write(items) : Effect.fail(new Bad({ item: bad }))
            })
        }))
    })
  }
}

/** Runs a job of one step, and gives what is stored of it. */
export const runStep = <C extends string, E, R>(step: Step.Step<C, E, R>, job = step.name) =>
  Effect.gen(function*() {
    const execution = yield* JobOperator.run(Job.make(job, { flow: step }), {})
    const [stored] = yield* JobOperator.steps(execution.id)
    return { execution, exit: execution.exit, step: stored!, status: stored!.status, counts: stored!.counts }
  })

/** The counts that are given, all others 0. */
export const counts = (counts: Partial<Counts.Counts>): Counts.Counts => Counts.make(counts)
