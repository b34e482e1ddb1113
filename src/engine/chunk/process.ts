/**
 * Turns the items of a chunk into outputs, in a loop over the array: an item costs fiber work only when its effect
 * really has to run, and a handler only when it fails.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { AnyEffect } from "../../definition/tree.js"
import { Filtered } from "../../item/ItemProcessor.js"
import { Fatal } from "../../vocabulary/failure.js"
import { isDone } from "../step/hooks.js"
import type { Chunk, ChunkEnv } from "./env.js"
import { failureOf, isSkippable, mayRetry, noRetries, skip } from "./env.js"

/** Outputs in the order of their inputs; `origins` holds for each the index of the input it came from. */
export interface Outputs {
  readonly items: ReadonlyArray<any>
  readonly origins: ReadonlyArray<number> | undefined
}

/** The index of the input that an output came from. */
export const originOf = (outputs: Outputs, index: number): number =>
  outputs.origins === undefined ? index : outputs.origins[index]!

/** What becomes of an input whose processing failed: an output after all, none, or a failure. */
export type Recover = (
  index: number,
  item: any,
  cause: Cause.Cause<any>
) => Effect.Effect<Option.Option<any>, any, any>

/** Processes the inputs of a chunk, each of them once: retried in place, then skipped, then failed (RETRY-5). */
export const processChunk = (env: ChunkEnv, chunk: Chunk): Effect.Effect<Outputs, any, any> =>
  processItems(env, chunk.inputs, inPlace(env, chunk))

export const processItems = (
  env: ChunkEnv,
  inputs: ReadonlyArray<any>,
  recover: Recover
): Effect.Effect<Outputs, any, any> => {
  const { process } = env
  const { afterProcess, beforeProcess } = env.state.hooks
  const listening = beforeProcess !== undefined || afterProcess !== undefined
  if (process === undefined && !listening) {
    return Effect.succeed({ items: inputs, origins: undefined })
  }
  if (process?._tag === "Sync" && !listening) {
    return Effect.sync(() => applyAll(inputs, process.apply))
  }
  return env.body.concurrency > 1 ? concurrently(env, inputs, recover) : oneByOne(env, inputs, recover)
}

/** The effect of one item, listeners included. Values stay values. */
export const attempt = (env: ChunkEnv, item: any): Effect.Effect<any, any, any> => {
  const { beforeProcess } = env.state.hooks
  if (beforeProcess === undefined) {
    return applied(env, item)
  }
  const begun = beforeProcess(item)
  return isDone(begun) ? applied(env, item) : Effect.flatMap(begun, () => applied(env, item))
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const inPlace = (env: ChunkEnv, chunk: Chunk): Recover => (index, item, first) => {
  const retries = noRetries()
  const { onProcessError } = env.state.hooks
  const recover = (cause: Cause.Cause<any>): Effect.Effect<Option.Option<any>, any, any> => {
    const failure = failureOf(cause)
    if (Either.isLeft(failure)) {
      return Effect.failCause(failure.left)
    }
    const error = failure.right
    if (error instanceof Fatal) {
      return Effect.fail(error)
    }
    return Effect.flatMap(mayRetry(env, retries, error), (again) => {
      if (again) {
        return Effect.suspend(() => attempt(env, item)).pipe(Effect.map(Option.some), Effect.catchAllCause(recover))
      }
      const handled = isSkippable(env, error)
        ? Effect.as(skip(env, chunk, { phase: "process", index, item: Option.some(item), error }), Option.none())
        : Effect.fail(error)
      return onProcessError === undefined ? handled : Effect.zipRight(onProcessError(item, error), handled)
    })
  }
  return recover(first)
}

const applyAll = (inputs: ReadonlyArray<any>, apply: (item: any) => any): Outputs => {
  const outputs = collecting()
  for (let i = 0; i < inputs.length; i++) {
    outputs.accept(apply(inputs[i]), i)
  }
  return outputs.collected()
}

const apply = ({ process }: ChunkEnv, item: any): Effect.Effect<any, any, any> =>
  process === undefined
    ? Effect.succeed(item)
    : process._tag === "Sync"
    ? Effect.succeed(process.apply(item))
    : process.apply(item)

const applied = (env: ChunkEnv, item: any): Effect.Effect<any, any, any> => {
  const { afterProcess } = env.state.hooks
  const run = apply(env, item)
  return afterProcess === undefined ? run : andAfter(run, item, afterProcess)
}

const andAfter = (
  run: Effect.Effect<any, any, any>,
  item: any,
  after: (item: any, output: Option.Option<any>) => AnyEffect
): Effect.Effect<any, any, any> => {
  if (!Exit.isExit(run)) {
    return Effect.tap(run, (output) => after(item, toOption(output)))
  }
  if (Exit.isFailure(run)) {
    return run
  }
  const ended = after(item, toOption(run.value))
  return isDone(ended) ? run : Effect.as(ended, run.value)
}

const toOption = (output: any): Option.Option<any> => output === Filtered ? Option.none() : Option.some(output)

const oneByOne = (
  env: ChunkEnv,
  inputs: ReadonlyArray<any>,
  recover: Recover
): Effect.Effect<Outputs, any, any> =>
  Effect.suspend(() => {
    const outputs = collecting()
    let index = 0
    let pending: Effect.Effect<any, any, any> = Effect.void
    const accept = (output: any): void => outputs.accept(output, index++)
    const loop = Effect.whileLoop({
      while: () => {
        while (index < inputs.length) {
          pending = attempt(env, inputs[index])
          if (!Exit.isExit(pending) || Exit.isFailure(pending)) {
            return true
          }
          accept(pending.value)
        }
        return false
      },
      body: () => pending,
      step: accept
    })
    const handled: AnyEffect = Effect.catchAllCause(
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
  env: ChunkEnv,
  inputs: ReadonlyArray<any>,
  recover: Recover
): Effect.Effect<Outputs, any, any> =>
  Effect.forEach(
    inputs,
    (item, index) =>
      Effect.suspend(() => attempt(env, item)).pipe(
        Effect.map(Option.some),
        Effect.catchAllCause((cause) => recover(index, item, cause))
      ),
    { concurrency: env.body.concurrency, batching: "inherit" }
  ).pipe(Effect.map((results) => {
    const outputs = collecting()
    results.forEach((result, index) => outputs.accept(Option.getOrElse(result, () => Filtered), index))
    return outputs.collected()
  }))

/** Collects what inputs became, in order. Where they came from is noted only from the first one on that became nothing. */
const collecting = () => {
  const items: Array<any> = []
  let origins: Array<number> | undefined
  return {
    accept: (output: any, index: number): void => {
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
