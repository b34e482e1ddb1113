/**
 * Several opened writers as one.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Json } from "../base/json.js"
import { databaseIn, MEMORY } from "../ports/address.js"
import * as Pipelining from "../ports/pipelining.js"
import { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { Delivery, ItemWriter, Sink } from "./ItemWriter.js"
import * as position_ from "./position.js"
import type { Provided } from "./provided.js"
import { contextOf } from "./provided.js"

/** @internal */
export type Open<A, E, R> = (state: Option.Option<Json>) => Effect.Effect<Sink<A, E, R>, E, R | Scope.Scope>

/** From the weakest to the strongest guarantee. */
const RANKING: ReadonlyArray<Delivery> = ["at-least-once", "restartable", "transactional"]

/** @internal */
export const isWeaker = (self: Delivery, that: Delivery): boolean => RANKING.indexOf(self) < RANKING.indexOf(that)

/** @internal */
export const weakest = (deliveries: ReadonlyArray<Delivery>): Delivery =>
  RANKING.find((delivery) => deliveries.includes(delivery)) ?? "transactional"

/** @internal */
export const deliveryIn = (writer: ItemWriter.Any, services: Context.Context<never>): Delivery =>
  writer.deliveryIn?.(services) ?? writer.delivery

/**
 * The guarantee of a writer that is provided with something; of a layer nobody knows before what it provides.
 *
 * @internal
 */
export const deliveryWith = (
  writer: ItemWriter.Any,
  provided: Provided<any, any, any>
): ItemWriter.Any["deliveryIn"] =>
  Context.isContext(provided) && writer.deliveryIn !== undefined
    ? (services) => deliveryIn(writer, Context.merge(services, provided))
    : undefined

/**
 * What is wrong when a writer guarantees less with these services than it says it does.
 *
 * @internal
 */
export const lessIn = (
  writer: ItemWriter.Any,
  said: Delivery,
  services: Context.Context<never>
): string | undefined => {
  const delivery = deliveryIn(writer, services)
  // A repository that forgets with its process has nothing that could be trusted too much.
  return isWeaker(delivery, said) && databaseIn(services) !== MEMORY
    ? `the writer "${writer.name}" says ${said} and is ${delivery} here, as its SqlClient is not that of the job ` +
      "repository: after a crash it may write a chunk again. Give it the client of the repository; or say with " +
      "ItemWriter.provide that the other one is meant, and write so that writing again changes nothing (upsertInto)"
    : undefined
}

/** @internal */
export const warnOfLess = (writer: ItemWriter.Any, said: Delivery): Effect.Effect<void> =>
  Effect.contextWithEffect((services: Context.Context<never>) => {
    const less = lessIn(writer, said, services)
    return less === undefined ? Effect.void : Effect.logWarning(less)
  })

/** @internal */
export const tee = <A, E, R>(
  name: string,
  writers: ReadonlyArray<ItemWriter<A, E, R>>
): Open<A, E | UnreadablePosition, R> => {
  const decode = position_.decode(name, Schema.Array(Schema.NullOr(Stored)))
  return (from) =>
    Effect.flatMap(decode(from), (stored): ReturnType<Open<A, E | UnreadablePosition, R>> => {
      const states = Option.getOrUndefined(stored)
      if (states !== undefined && states.length !== writers.length) {
        return new UnreadablePosition({
          reader: name,
          detail: `it was stored for ${states.length} writers and there are ${writers.length}`
        })
      }
      return Effect.map(
        Effect.forEach(writers, (writer, index) => writer.open(stateOf(states?.[index]))),
        (sinks): Sink<A, E, R> => ({
          write: (items) => Effect.forEach(sinks, (sink) => sink.write(items), { discard: true }),
          ...together(sinks, (flushed) => flushed.map((state) => state === undefined ? null : { state }))
        })
      )
    })
}

/** @internal */
export const route = <A, E, R>(
  name: string,
  key: (item: A) => string,
  writers: ReadonlyArray<readonly [string, ItemWriter<A, E, R>]>
): Open<A, E | UnreadablePosition, R> => {
  const decode = position_.decode(name, Schema.Record({ key: Schema.String, value: Stored }))
  const keys = writers.map(([key]) => key)
  return (from) =>
    Effect.flatMap(decode(from), (stored): ReturnType<Open<A, E | UnreadablePosition, R>> => {
      const states = new Map(Object.entries(Option.getOrElse(stored, () => ({}))))
      const orphan = Array.from(states.keys()).find((key) => !keys.includes(key))
      if (orphan !== undefined) {
        return new UnreadablePosition({ reader: name, detail: `it was stored for a writer "${orphan}", which is gone` })
      }
      return Effect.map(
        Effect.forEach(writers, ([key, writer]) => writer.open(stateOf(states.get(key)))),
        (sinks): Sink<A, E, R> => ({
          write: (items) =>
            Effect.suspend(() => {
              const routed = group(name, items, key, keys)
              return Effect.forEach(
                sinks,
                (sink, index) => routed[index]!.length === 0 ? Effect.void : sink.write(routed[index]!),
                { discard: true }
              )
            }),
          ...together(sinks, (flushed) =>
            Object.fromEntries(flushed.flatMap((state, index) =>
              state === undefined ? [] : [[keys[index]!, { state }]]
            )))
        })
      )
    })
}

/** @internal */
export const contramap = <A, E, R, B>(self: ItemWriter<A, E, R>, f: (item: B) => A): Open<B, E, R> => (state) =>
  Effect.map(self.open(state), (sink) => ({
    ...sink,
    write: Pipelining.withPipelinedWrite(
      (items: ReadonlyArray<B>) => Effect.suspend(() => sink.write(items.map((item) => f(item)))),
      pipelined(sink.write, (encode) => (items) => Effect.suspend(() => encode(items.map((item) => f(item)))))
    )
  }))

/** @internal */
export const mapError = <A, E, R, E2>(self: ItemWriter<A, E, R>, f: (error: E) => E2): Open<A, E2, R> => (state) =>
  Effect.mapBoth(self.open(state), {
    onFailure: f,
    onSuccess: (sink) => ({
      ...sink,
      write: Pipelining.withPipelinedWrite(
        (items: ReadonlyArray<A>) => Effect.mapError(sink.write(items), f),
        pipelined(sink.write, (encode) => (items) =>
          Effect.mapBoth(encode(items), {
            onFailure: f,
            onSuccess: (known) =>
              known && {
                ...known,
                answer: (row) => Either.mapLeft(known.answer(row), f),
                refused: (error) => f(known.refused(error)),
                examine: known.examine && mapped(known.examine, f)
              }
          }))
      ),
      flush: sink.flush && Effect.mapError(sink.flush, f),
      complete: sink.complete && Effect.mapError(sink.complete, f)
    })
  })

const mapped =
  <E, E2>(examine: NonNullable<Pipelining.Pipelined<unknown, E>["examine"]>, f: (error: E) => E2) =>
  (error: never, ask: never): Effect.Effect<E2> => Effect.map(examine(error, ask), f)

/** @internal */
export const provide = <A, E, R, ROut, E2, RIn>(
  self: ItemWriter<A, E, R>,
  provided: Provided<ROut, E2, RIn>
): Open<A, E | E2, RIn | Exclude<R, ROut>> =>
(state) =>
  Effect.flatMap(contextOf(provided), (context) => {
    const within = <B, E3>(effect: Effect.Effect<B, E3, R>) => Effect.provide(effect, context)
    // The Scope of the step is never among what is provided.
    const opened = Effect.provide(self.open(state), context) as Effect.Effect<
      Sink<A, E, R>,
      E,
      Exclude<R, ROut> | Scope.Scope
    >
    return Effect.map(opened, (sink): Sink<A, E, Exclude<R, ROut>> => ({
      ...sink,
      write: Pipelining.withPipelinedWrite(
        (items: ReadonlyArray<A>) => within(sink.write(items)),
        Pipelining.pipelinedWriteOf(sink.write)
      ),
      flush: sink.flush && within(sink.flush),
      complete: sink.complete && within(sink.complete)
    }))
  })

/** @internal */
export const rename = <A, E, R>(self: ItemWriter<A, E, R>, name: string): Open<A, E, R> => (state) =>
  Effect.mapError(self.open(state), (error) => position_.renamed(error, self.name, name))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const pipelined = <A, E, R, B, E2>(
  write: Sink<A, E, R>["write"],
  map: (encode: Pipelining.PipelinedWrite<A, E>["encode"]) => Pipelining.PipelinedWrite<B, E2>["encode"]
): Pipelining.PipelinedWrite<B, E2> | undefined => {
  const known = Pipelining.pipelinedWriteOf(write)
  return known && { ...known, encode: map(known.encode) }
}

/** A state is wrapped, to tell a writer that flushed `null` from one that has nothing to flush. */
const Stored = Schema.Struct({ state: Json })

const stateOf = (stored: { readonly state: Json } | null | undefined): Option.Option<Json> =>
  Option.map(Option.fromNullable(stored), ({ state }) => state)

/** Everything of a sink but `write`. What none of the sinks has, the whole does not have either. */
const together = <A, E, R>(
  sinks: ReadonlyArray<Sink<A, E, R>>,
  encode: (flushed: ReadonlyArray<Json | undefined>) => Json
): Omit<Sink<A, E, R>, "write"> => {
  const has = (hook: keyof Sink<A, E, R>): boolean => sinks.some((sink) => sink[hook] !== undefined)
  return {
    flush: has("flush")
      ? Effect.map(
        Effect.forEach(sinks, (sink): Effect.Effect<Json | undefined, E, R> => sink.flush ?? nothing),
        encode
      )
      : undefined,
    rollback: has("rollback") ? all(sinks.map((sink) => sink.rollback ?? Effect.void)) : undefined,
    committed: has("committed") ? all(sinks.map((sink) => sink.committed ?? Effect.void)) : undefined,
    complete: has("complete")
      ? Effect.forEach(sinks, (sink) => sink.complete ?? Effect.void, { discard: true })
      : undefined
  }
}

const nothing = Effect.succeed(undefined)

/** Runs every effect, even if one of them dies: each sink has to learn how the transaction ended. */
const all = (effects: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.forEach(effects, Effect.exit),
    (exits) => Option.match(Exit.all(exits), { onNone: () => Effect.void, onSome: Effect.asVoid })
  )

const group = <A>(
  name: string,
  items: ReadonlyArray<A>,
  key: (item: A) => string,
  keys: ReadonlyArray<string>
): ReadonlyArray<ReadonlyArray<A>> => {
  const indexes = new Map(keys.map((key, index) => [key, index]))
  const routed = keys.map((): Array<A> => [])
  for (const item of items) {
    const to = key(item)
    const index = indexes.get(to)
    if (index === undefined) {
      throw new Error(
        `The writer "${name}" has no writer for the key "${to}": add one, its keys are ${keys.join(", ")}`
      )
    }
    routed[index]!.push(item)
  }
  return routed
}
