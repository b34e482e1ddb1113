/**
 * Turns the items of a chunk into outputs, in a loop over the array: an item costs fiber work only when its effect
 * really has to run, and a handler only when it fails.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { ApplyAll } from "../../item/ItemProcessor.js"
import { Filtered } from "../../item/ItemProcessor.js"
import { Fatal } from "../../vocabulary/failure.js"
import type { Engine, EngineFailure, Item, UserServices } from "../step/engine.js"
import { isDone, tellBefore } from "../step/hooks.js"
import { badInput } from "./chunk.js"
import type { Placed } from "./itemPlace.js"
import { failAt } from "./itemPlace.js"
import { isSkippable, mayRetry, policyFailure, skip } from "./policies.js"
import type { ChunkEffect } from "./rejection.js"
import type { Retries } from "./retries.js"
import { noRetries } from "./retries.js"
import type { ChunkRun } from "./run.js"

/** Outputs in the order of their inputs; `origins` holds for each the index of the input it came from. */
export interface Outputs {
  readonly items: ReadonlyArray<Item>
  readonly origins: ReadonlyArray<number> | undefined
}

/** The index of the input that an output came from. */
export const originOf = (outputs: Outputs, index: number): number =>
  outputs.origins === undefined ? index : outputs.origins[index]!

/** What becomes of an input whose processing failed: an output after all, none, or a failure. */
export type Recover = (
  index: number,
  item: Item,
  cause: Cause.Cause<EngineFailure>
) => ChunkEffect<Option.Option<Item>>

/** Processes the inputs of a chunk, each of them once: retried in place, then skipped, then failed (RETRY-5). */
export const processChunk = (run: ChunkRun): ChunkEffect<Outputs> => processItems(run, run.chunk.inputs, inPlace(run))

export const processItems = (
  run: ChunkRun,
  inputs: ReadonlyArray<Item>,
  recover: Recover
): ChunkEffect<Outputs> => {
  const { process } = run.env
  const { afterProcess, beforeProcess } = run.state.hooks
  const listening = beforeProcess !== undefined || afterProcess !== undefined
  if (process === undefined && !listening) {
    return Effect.succeed({ items: inputs, origins: undefined })
  }
  const { now, process: timed } = run.state.telemetry
  return Effect.suspend(() => {
    const began = now()
    if (process?._tag === "Sync" && !listening) {
      return Effect.map(applyAll(run, inputs, process.apply), (outputs) => {
        timed(began)
        return outputs
      })
    }
    const processed = process?._tag === "Effect" && process.applyAll !== undefined
      ? together(run, inputs, recover, process.applyAll)
      : run.env.body.concurrency > 1
      ? concurrently(run, inputs, recover)
      : inSequence(run, inputs, recover)
    return Effect.map(processed, (outputs) => {
      timed(began)
      return outputs
    })
  })
}

/** The effect of one item, listeners included. Values stay values. */
export const processOne = (run: ChunkRun, item: Item, answer?: Engine<unknown>): Engine<unknown> => {
  const { beforeProcess } = run.state.hooks
  if (beforeProcess === undefined) {
    return applied(run, item, answer)
  }
  const begun = beforeProcess(item)
  return isDone(begun) ? applied(run, item, answer) : Effect.flatMap(begun, () => applied(run, item, answer))
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const inPlace = (run: ChunkRun): Recover => (index, item, first) => {
  const { onProcessError } = run.state.hooks
  const placed: Placed = { phase: "process", index, item: Option.some(item) }
  const recover = (cause: Cause.Cause<EngineFailure>, retries: Retries): ChunkEffect<Option.Option<Item>> => {
    const failure = policyFailure(cause)
    if (Either.isLeft(failure)) {
      return failAt(run, failure.left, placed)
    }
    const error = failure.right
    if (error instanceof Fatal) {
      return failAt(run, Cause.fail(error), placed)
    }
    return Effect.flatMap(mayRetry(run, retries, error, { phase: "process", items: [item] }), ({ again, retries }) => {
      if (again) {
        return Effect.suspend(() => processOne(run, item)).pipe(
          Effect.map(Option.some),
          Effect.catchAllCause((cause) => recover(cause, retries))
        )
      }
      const handled = isSkippable(run, error)
        ? Effect.as(skip(run, badInput(index, item, error)), Option.none())
        : failAt(run, Cause.fail(error), placed)
      return tellBefore(onProcessError, handled, item, error)
    })
  }
  return recover(first, noRetries)
}

const applyAll = (
  run: ChunkRun,
  inputs: ReadonlyArray<Item>,
  apply: (item: Item) => unknown
): ChunkEffect<Outputs> => {
  // As `collecting` does it, in variables of its own: a closure for each item costs as much again.
  const items: Array<Item> = []
  let origins: Array<number> | undefined
  let index = 0
  try {
    for (; index < inputs.length; index++) {
      const output = apply(inputs[index])
      if (output === Filtered) {
        origins ??= items.map((_, origin) => origin)
      } else {
        items.push(output)
        origins?.push(index)
      }
    }
    return Effect.succeed({ items, origins })
  } catch (defect) {
    return failAt(run, Cause.die(defect), { phase: "process", index, item: Option.some(inputs[index]) })
  }
}

const apply = ({ env: { process } }: ChunkRun, item: Item): Engine<unknown> =>
  process === undefined
    ? Effect.succeed(item)
    : process._tag === "Sync"
    ? Effect.succeed(process.apply(item))
    : process.apply(item)

/** With an answer that is there already, it is taken. */
const applied = (run: ChunkRun, item: Item, answer: Engine<unknown> | undefined): Engine<unknown> => {
  const { afterProcess } = run.state.hooks
  const processed = answer ?? apply(run, item)
  return afterProcess === undefined ? processed : andAfter(processed, item, afterProcess)
}

const andAfter = (
  processed: Engine<unknown>,
  item: Item,
  after: (item: Item, output: Option.Option<Item>) => Engine<unknown>
): Engine<unknown> => {
  if (!Exit.isExit(processed)) {
    return Effect.tap(processed, (output) => after(item, toOption(output)))
  }
  if (Exit.isFailure(processed)) {
    return processed
  }
  const ended = after(item, toOption(processed.value))
  return isDone(ended) ? processed : Effect.as(ended, processed.value)
}

const toOption = (output: unknown): Option.Option<Item> => output === Filtered ? Option.none() : Option.some(output)

/** The first answers of all inputs at once; what is tried again is asked for alone. */
const together = (
  run: ChunkRun,
  inputs: ReadonlyArray<Item>,
  recover: Recover,
  applyAll: ApplyAll<Item, Item, EngineFailure, UserServices>
): ChunkEffect<Outputs> =>
  inputs.length === 0 ? inSequence(run, inputs, recover) : Effect.flatMap(
    applyAll(inputs, run.env.body.concurrency),
    (answers) => inSequence(run, inputs, recover, answers)
  )

const inSequence = (
  run: ChunkRun,
  inputs: ReadonlyArray<Item>,
  recover: Recover,
  answers?: ReadonlyArray<Engine<unknown>>
): ChunkEffect<Outputs> =>
  Effect.suspend(() => {
    const outputs = collecting()
    let index = 0
    let next: Engine<unknown> = Effect.void
    const accept = (output: unknown): void => outputs.accept(output, index++)
    const loop = Effect.whileLoop({
      while: () => {
        while (index < inputs.length) {
          next = processOne(run, inputs[index], answers?.[index])
          if (!Exit.isExit(next) || Exit.isFailure(next)) {
            return true
          }
          accept(next.value)
        }
        return false
      },
      body: () => next,
      step: accept
    })
    const handled: ChunkEffect<void> = Effect.catchAllCause(
      loop,
      (cause) =>
        Effect.flatMap(recover(index, inputs[index], cause), (output) => {
          accept(Option.getOrElse(output, () => Filtered))
          return handled
        })
    )
    return Effect.map(handled, outputs.collected)
  })

const concurrently = (
  run: ChunkRun,
  inputs: ReadonlyArray<Item>,
  recover: Recover
): ChunkEffect<Outputs> =>
  Effect.forEach(
    inputs,
    (item, index) =>
      Effect.suspend(() => processOne(run, item)).pipe(
        Effect.map(Option.some),
        Effect.catchAllCause((cause) => recover(index, item, cause))
      ),
    { concurrency: run.env.body.concurrency, batching: "inherit" }
  ).pipe(Effect.map((results) => {
    const outputs = collecting()
    results.forEach((result, index) => outputs.accept(Option.getOrElse(result, () => Filtered), index))
    return outputs.collected()
  }))

/** Collects what inputs became, in order. Where they came from is noted only from the first one on that became nothing. */
const collecting = () => {
  const items: Array<Item> = []
  let origins: Array<number> | undefined
  return {
    accept: (output: unknown, index: number): void => {
      if (output === Filtered) {
        origins ??= items.map((_, origin) => origin)
      } else {
        items.push(output)
        origins?.push(index)
      }
    },
    collected: (): Outputs => ({ items, origins })
  }
}
