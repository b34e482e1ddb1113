/**
 * Turns the items of a chunk into outputs, in a loop over the array: an item costs fiber work only when its effect
 * really has to run, and a handler only when it fails.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { Filtered } from "../ItemProcessor.js"
import type { Chunk, ChunkEnv } from "./chunkEnv.js"
import { isSkippable, mayRetry, noRetries, skip } from "./chunkEnv.js"
import type { AnyEffect } from "./definition.js"
import { isDone } from "./hooks.js"
import { count } from "./stepState.js"

/** Outputs in the order of their items; `origins` holds for each the index of the item it came from. */
export interface Outputs {
  readonly items: ReadonlyArray<any>
  readonly origins: ReadonlyArray<number> | undefined
}

/** The index of the item that an output came from. */
export const originOf = (outputs: Outputs, index: number): number =>
  outputs.origins === undefined ? index : outputs.origins[index]!

export const processChunk = (env: ChunkEnv, chunk: Chunk): Effect.Effect<Outputs, any, any> => {
  const { process } = env
  const { afterProcess, beforeProcess } = env.state.hooks
  if (process === undefined && beforeProcess === undefined && afterProcess === undefined) {
    return Effect.succeed({ items: chunk.items, origins: undefined })
  }
  if (process?._tag === "Sync" && !needsHandling(env)) {
    return Effect.sync(() => applyAll(env, chunk, process.apply))
  }
  return env.body.concurrency > 1 ? concurrently(env, chunk) : oneByOne(env, chunk)
}

const needsHandling = (env: ChunkEnv): boolean =>
  env.state.hooks.beforeProcess !== undefined || env.state.hooks.afterProcess !== undefined

const applyAll = (env: ChunkEnv, chunk: Chunk, apply: (item: any) => any): Outputs => {
  const items: Array<any> = []
  const origins: Array<number> = []
  for (let i = 0; i < chunk.items.length; i++) {
    const output = apply(chunk.items[i])
    if (output !== Filtered) {
      items.push(output)
      origins.push(i)
    }
  }
  count(env.state, { filter: chunk.items.length - items.length })
  return { items, origins }
}

/** The effect of one item, listeners included. Values stay values. */
const attempt = (env: ChunkEnv, item: any): Effect.Effect<any, any, any> => {
  const { afterProcess, beforeProcess } = env.state.hooks
  const run = env.process === undefined
    ? Effect.succeed(item)
    : env.process._tag === "Sync"
    ? Effect.succeed(env.process.apply(item))
    : env.process.apply(item)
  if (beforeProcess === undefined && afterProcess === undefined) {
    return run
  }
  return aroundItem(run, item, beforeProcess, afterProcess)
}

const aroundItem = (
  run: Effect.Effect<any, any, any>,
  item: any,
  before: ((item: any) => AnyEffect) | undefined,
  after: ((item: any, output: Option.Option<any>) => AnyEffect) | undefined
): Effect.Effect<any, any, any> => {
  const begun = before?.(item)
  if (begun !== undefined && !isDone(begun)) {
    return Effect.zipRight(begun, aroundItem(run, item, undefined, after))
  }
  if (after === undefined) {
    return run
  }
  if (Exit.isExit(run)) {
    if (Exit.isFailure(run)) {
      return run
    }
    const ended = after(item, toOption(run.value))
    return isDone(ended) ? run : Effect.as(ended, run.value)
  }
  return Effect.tap(run, (output) => after(item, toOption(output)))
}

const toOption = (output: any): Option.Option<any> => output === Filtered ? Option.none() : Option.some(output)

const oneByOne = (env: ChunkEnv, chunk: Chunk): Effect.Effect<Outputs, any, any> => {
  const items: Array<any> = []
  const origins: Array<number> = []
  let index = 0
  let filtered = 0
  let pending: Effect.Effect<any, any, any> = Effect.void
  const accept = (output: any): void => {
    if (output === Filtered) {
      filtered++
    } else {
      items.push(output)
      origins.push(index)
    }
    index++
  }
  const loop = Effect.whileLoop({
    while: () => {
      while (index < chunk.items.length) {
        pending = attempt(env, chunk.items[index])
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
      Effect.flatMap(recover(env, chunk, chunk.items[index], cause), (output) => {
        if (Option.isSome(output)) {
          accept(output.value)
        } else {
          index++
        }
        return handled
      })
  )
  return Effect.map(handled, () => {
    count(env.state, { filter: filtered })
    return { items, origins }
  })
}

const concurrently = (env: ChunkEnv, chunk: Chunk): Effect.Effect<Outputs, any, any> =>
  Effect.forEach(
    chunk.items,
    (item) =>
      Effect.suspend(() => attempt(env, item)).pipe(
        Effect.map(Option.some),
        Effect.catchAllCause((cause) => recover(env, chunk, item, cause))
      ),
    { concurrency: env.body.concurrency }
  ).pipe(Effect.map((results) => {
    const items: Array<any> = []
    const origins: Array<number> = []
    results.forEach((result, index) => {
      if (Option.isSome(result) && result.value !== Filtered) {
        items.push(result.value)
        origins.push(index)
      }
    })
    count(env.state, { filter: results.filter((result) => Option.isSome(result) && result.value === Filtered).length })
    return { items, origins }
  }))

/** Retries the item, then skips it (none), then fails (RETRY-5). A defect or an interruption goes on as it is. */
const recover = (
  env: ChunkEnv,
  chunk: Chunk,
  item: any,
  first: Cause.Cause<any>,
  retries = noRetries()
): Effect.Effect<Option.Option<any>, any, any> => {
  const failure = Cause.failureOrCause(first)
  if (failure._tag === "Right") {
    return Effect.failCause(failure.right)
  }
  const error = failure.left
  return Effect.flatMap(mayRetry(env, retries, error), (again) => {
    if (again) {
      return Effect.suspend(() => attempt(env, item)).pipe(
        Effect.map(Option.some),
        Effect.catchAllCause((cause) => recover(env, chunk, item, cause, retries))
      )
    }
    const { onProcessError } = env.state.hooks
    const handled = isSkippable(env, error)
      ? Effect.as(skip(env, chunk, { phase: "process", item: Option.some(item), error }), Option.none())
      : Effect.fail(error)
    return onProcessError === undefined ? handled : Effect.zipRight(onProcessError(item, error), handled)
  })
}
