/**
 * Composition of opened processors. An effect that is already an `Exit` is composed at once, so that a chain of
 * processors costs fiber work only where something really runs.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ApplyAll, Filtered, Process } from "./ItemProcessor.js"

/** @internal */
export const mapNow = <A, B, E, R>(self: Effect.Effect<A, E, R>, f: (a: A) => B): Effect.Effect<B, E, R> => {
  if (Exit.isExit(self)) {
    return Exit.isSuccess(self) ? Exit.succeed(f(self.value as A)) : self as Exit.Exit<never, E>
  }
  return Effect.map(self, f)
}

/** @internal */
export const flatMapNow = <A, B, E, R, E2, R2>(
  self: Effect.Effect<A, E, R>,
  f: (a: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2, R | R2> => {
  if (Exit.isExit(self)) {
    return Exit.isSuccess(self) ? f(self.value as A) : self as Exit.Exit<never, E>
  }
  return Effect.flatMap(self, f)
}

/** @internal */
export const compose = <In, Mid, Out, E, R, E2, R2>(
  first: Process<In, Mid, E, R>,
  second: Process<Mid, Out, E2, R2>,
  filtered: Filtered
): Process<In, Out, E | E2, R | R2> => {
  if (isTogether(first) || isTogether(second)) {
    return together(first, second, filtered)
  }
  return oneByOne(first, second, filtered)
}

/**
 * Each of these becomes what its effect becomes; a function that throws is a defect of its own item.
 *
 * @internal
 */
export const each = <In, Out, E, R>(
  items: ReadonlyArray<In>,
  apply: (item: In) => Effect.Effect<Out, E, R>,
  concurrency: number
): Effect.Effect<ReadonlyArray<Exit.Exit<Out, E>>, never, R> =>
  Effect.forEach(items, (item) => {
    try {
      const output = apply(item)
      return Exit.isExit(output) ? Exit.succeed(output as Exit.Exit<Out, E>) : Effect.exit(output)
    } catch (defect) {
      return Exit.succeed(Exit.die(defect))
    }
  }, { concurrency })

/**
 * Gives what came through to the next stage, all of it at once; whatever else there is stays as it is.
 *
 * @internal
 */
export const next = <Mid, Out, E, E2, R>(
  exits: ReadonlyArray<Exit.Exit<Mid | Filtered, E>>,
  filtered: Filtered,
  apply: (items: ReadonlyArray<Mid>) => Effect.Effect<ReadonlyArray<Exit.Exit<Out | Filtered, E2>>, never, R>
): Effect.Effect<ReadonlyArray<Exit.Exit<Out | Filtered, E | E2>>, never, R> => {
  const places: Array<number> = []
  const items: Array<Mid> = []
  exits.forEach((exit, place) => {
    if (Exit.isSuccess(exit) && exit.value !== filtered) {
      places.push(place)
      items.push(exit.value)
    }
  })
  return Effect.map(apply(items), (outputs) => {
    const all: Array<Exit.Exit<Mid | Out | Filtered, E | E2>> = [...exits]
    places.forEach((place, index) => all[place] = outputs[index]!)
    return all as ReadonlyArray<Exit.Exit<Out | Filtered, E | E2>>
  })
}

const isTogether = (process: Process<any, any, any, any>): boolean =>
  process._tag === "Effect" && process.applyAll !== undefined

/** Whoever takes all items of a chunk at once is given those that are left. */
const together = <In, Mid, Out, E, R, E2, R2>(
  first: Process<In, Mid, E, R>,
  second: Process<Mid, Out, E2, R2>,
  filtered: Filtered
): Process<In, Out, E | E2, R | R2> => {
  const [applyFirst, applySecond] = [allOf(first), allOf(second)]
  return {
    _tag: "Effect",
    apply: (oneByOne(first, second, filtered) as Extract<Process<In, Out, E | E2, R | R2>, { _tag: "Effect" }>).apply,
    applyAll: (items, concurrency) =>
      Effect.flatMap(
        applyFirst(items, concurrency),
        (exits) => next(exits, filtered, (items) => applySecond(items, concurrency))
      )
  }
}

const allOf = <In, Out, E, R>(process: Process<In, Out, E, R>): ApplyAll<In, Out, E, R> =>
  process._tag === "Effect" && process.applyAll !== undefined
    ? process.applyAll
    : process._tag === "Effect"
    ? (items, concurrency) => each(items, process.apply, concurrency)
    : (items) => each(items, (item) => Exit.succeed(process.apply(item)), 1)

const oneByOne = <In, Mid, Out, E, R, E2, R2>(
  first: Process<In, Mid, E, R>,
  second: Process<Mid, Out, E2, R2>,
  filtered: Filtered
): Process<In, Out, E | E2, R | R2> => {
  const stopped: Effect.Effect<Filtered> = Exit.succeed(filtered)
  if (second._tag === "Sync") {
    const then = (item: Mid | Filtered): Out | Filtered => item === filtered ? filtered : second.apply(item)
    return first._tag === "Sync"
      ? { _tag: "Sync", apply: (item) => then(first.apply(item)) }
      : { _tag: "Effect", apply: (item) => mapNow(first.apply(item), then) }
  }
  const then = (item: Mid | Filtered): Effect.Effect<Out | Filtered, E2, R2> =>
    item === filtered ? stopped : second.apply(item)
  return {
    _tag: "Effect",
    apply: first._tag === "Sync" ? (item) => then(first.apply(item)) : (item) => flatMapNow(first.apply(item), then)
  }
}

/** @internal */
export const provide =
  <ROut>(context: Context.Context<ROut>) =>
  <In, Out, E, R>(process: Process<In, Out, E, R>): Process<In, Out, E, Exclude<R, ROut>> =>
    process._tag === "Sync" ? process : {
      _tag: "Effect",
      applyAll: process.applyAll &&
        ((items, concurrency) => Effect.provide(process.applyAll!(items, concurrency), context)),
      apply: (item) => {
        const output = process.apply(item)
        return Exit.isExit(output) ? output as Exit.Exit<Out | Filtered, E> : Effect.provide(output, context)
      }
    }
