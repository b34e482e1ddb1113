/**
 * Readers, processors and writers that do what a script says, and record how they were called: to test what a step
 * makes of items, bad records, failures and defects, without a source or target that has to be brought to misbehave.
 *
 * Each is for one test. What it has recorded grows over the step executions that use it, so that a restart can be
 * looked at as well.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as ItemProcessor from "../item/ItemProcessor.js"
import * as ItemReader from "../item/ItemReader.js"
import * as ItemWriter from "../item/ItemWriter.js"
import * as memory from "../item/memory.js"
import * as position from "../item/position.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import { exitOf, read } from "./script.js"

/**
 * It works. Read: this item; processed: to this output; written: the value says nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ok<out A> {
  readonly _tag: "Ok"
  readonly value: A
}

/**
 * It fails with a typed error. Read: a bad record, which the step may skip.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fail<out E> {
  readonly _tag: "Fail"
  readonly error: E
}

/**
 * It dies of a defect, which fails the step.
 *
 * @since 0.1.0
 * @category models
 */
export interface Die {
  readonly _tag: "Die"
  readonly defect: unknown
}

/**
 * The processor filters the item out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Filtered {
  readonly _tag: "Filtered"
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const ok = <A = void>(value?: A): Ok<A> => ({ _tag: "Ok", value: value as A })

/**
 * @since 0.1.0
 * @category constructors
 */
export const fail = <E>(error: E): Fail<E> => ({ _tag: "Fail", error })

/**
 * @since 0.1.0
 * @category constructors
 */
export const die = (defect: unknown): Die => ({ _tag: "Die", defect })

/**
 * @since 0.1.0
 * @category constructors
 */
export const filtered: Filtered = { _tag: "Filtered" }

/**
 * How a scripted reader was called.
 *
 * @since 0.1.0
 * @category models
 */
export type ReaderCall =
  | { readonly _tag: "Open"; readonly from: Option.Option<ItemReader.Position> }
  | { readonly _tag: "Pull"; readonly max: number }

/**
 * @since 0.1.0
 * @category models
 */
export interface ScriptedReader<out A, out E> extends ItemReader.ItemReader<A, E | UnreadablePosition> {
  readonly calls: ReadonlyArray<ReaderCall>
}

/**
 * A reader that comes past these items and bad records. Its position is the number of them that it has passed, so a
 * restart continues after the last committed chunk. It dies only once at a place: a restart passes over it.
 *
 * @example
 * ```ts
 * import { ItemWriter, Step } from "effect-batch"
 * import { Expect, Scripted, StepTest } from "effect-batch/testing"
 * import { Effect } from "effect"
 *
 * class BadLine {
 *   readonly _tag = "BadLine"
 * }
 *
 * const load = Step.chunk("load", {
 *   reader: Scripted.reader([Scripted.ok(1), Scripted.fail(new BadLine()), Scripted.ok(2)]),
 *   writer: ItemWriter.discard,
 *   chunkSize: 10
 * }).pipe(Step.skip("BadLine", { limit: 1 }))
 *
 * const test = Effect.flatMap(StepTest.runStep(load), ({ step }) => Expect.counts(step, { read: 2, readSkip: 1 }))
 * Effect.runPromise(test)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const reader = <A = never, E = never>(
  script: ReadonlyArray<Ok<A> | Fail<E> | Die>
): ScriptedReader<A, E> => {
  const calls: Array<ReaderCall> = []
  const died = new Set<number>()
  const decode = position.decode("scripted", position.Count)
  const made = ItemReader.make<A, E | UnreadablePosition>("scripted", (from) => {
    calls.push({ _tag: "Open", from })
    return Effect.map(decode(from), (count) => {
      let next = Option.getOrElse(count, () => 0)
      return {
        waits: false,
        pull: (max) =>
          Effect.suspend(() => {
            calls.push({ _tag: "Pull", max })
            const page = read(script, died, next, max)
            return Effect.map(page, (page) => {
              next = page.position
              return page
            })
          })
      }
    })
  })
  return Object.assign(made, { calls })
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ScriptedProcessor<in In, out Out, out E> extends ItemProcessor.ItemProcessor<In, Out, E> {
  /** The items it was called with, in their order. */
  readonly calls: ReadonlyArray<unknown>
}

/**
 * A processor with one outcome for each call, or with a function that returns the outcome of an item. A call after the
 * end of the script is a defect.
 *
 * @example
 * ```ts
 * import { Scripted } from "effect-batch/testing"
 *
 * const byCall = Scripted.processor([Scripted.ok("a"), Scripted.filtered, Scripted.fail("no rate" as const)])
 * const byItem = Scripted.processor((n: number) => n === 3 ? Scripted.die(new Error("three")) : Scripted.ok(n * 2))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const processor = <In, Out = never, E = never>(
  script:
    | ReadonlyArray<Ok<Out> | Fail<E> | Die | Filtered>
    | ((item: In) => Ok<Out> | Fail<E> | Die | Filtered)
): ScriptedProcessor<In, Out, E> => {
  const calls: Array<In> = []
  const apply = (item: In): Exit.Exit<Out | ItemProcessor.Filtered, E> => {
    const outcome = typeof script === "function" ? script(item) : script[calls.length]
    calls.push(item)
    return outcome === undefined
      ? Exit.die(new Error(`The scripted processor was called ${calls.length} times; its script is shorter`))
      : outcome._tag === "Filtered"
      ? Exit.succeed(ItemProcessor.Filtered)
      : exitOf(outcome)
  }
  const made = ItemProcessor.make<In, Out, E>(Effect.succeed({ _tag: "Effect", apply }))
  return Object.assign(made, { calls })
}

/**
 * How a scripted writer was called.
 *
 * @since 0.1.0
 * @category models
 */
export type WriterCall =
  | { readonly _tag: "Open" }
  | { readonly _tag: "Write"; readonly items: ReadonlyArray<unknown> }
  | { readonly _tag: "Committed" }
  | { readonly _tag: "Rollback" }
  | { readonly _tag: "Complete" }

/**
 * @since 0.1.0
 * @category models
 */
export interface ScriptedWriter<in A, out E> extends ItemWriter.ItemWriter<A, E> {
  readonly calls: ReadonlyArray<WriterCall>
  /** What was written and not rolled back. */
  readonly written: ReadonlyArray<unknown>
}

/**
 * A writer with one outcome for each call of `write`, or with a function that returns the outcome for the items. Calls
 * after the end of the script write.
 *
 * Guarantee: exactly once, as long as the process lives.
 *
 * @example
 * ```ts
 * import { Scripted } from "effect-batch/testing"
 *
 * const deadlockOnce = Scripted.writer<number, "Deadlock">([Scripted.fail("Deadlock")])
 * assert.strictEqual(deadlockOnce.delivery, "transactional")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const writer = <A, E = never>(
  script: ReadonlyArray<Ok<unknown> | Fail<E> | Die> | ((items: ReadonlyArray<A>) => Ok<unknown> | Fail<E> | Die) = []
): ScriptedWriter<A, E> => {
  const calls: Array<WriterCall> = []
  const written: Array<A> = []
  const record = (call: WriterCall): Effect.Effect<void> => Effect.sync(() => void calls.push(call))
  let writes = 0
  const made = ItemWriter.make<A, E>("scripted", {
    delivery: "transactional",
    open: () =>
      Effect.as(record({ _tag: "Open" }), {
        write: (items) =>
          Effect.suspend(() => {
            calls.push({ _tag: "Write", items: items.slice() })
            const outcome = (typeof script === "function" ? script(items) : script[writes++]) ?? ok()
            return outcome._tag === "Ok" ? memory.collect(written).write(items) : exitOf(outcome)
          }),
        committed: record({ _tag: "Committed" }),
        rollback: record({ _tag: "Rollback" }),
        complete: record({ _tag: "Complete" })
      })
  })
  return Object.assign(made, { calls, written })
}
