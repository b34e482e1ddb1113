/**
 * Reads and processes the next chunk while one is written.
 *
 * Nobody can tell the result from that of a step that does one after the other. What the policies decide depends on what
 * came before, so before one is asked about the next chunk, the chunk in front has landed. If that fails the step, the
 * next one has never been read: its counts and contexts are forgotten, and no position behind it was stored.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { turn } from "../../base/yielding.js"
import type { AnyEffect } from "../../definition/tree.js"
import { mayHaveCommitted } from "../step/doubt.js"
import * as Progress from "../step/progress.js"
import { advance, isStopping, services } from "../step/state.js"
import type { Work } from "./commit.js"
import type { Chunk, ChunkEnv, Flight } from "./env.js"
import { canPipeline, Repairable, Superseded } from "./env.js"
import { processChunk } from "./process.js"
import { readChunk } from "./read.js"
import { buffered, writeChunk } from "./write.js"

/**
 * Whether the step does so. By itself only when a chunk is one message to a database, as there is nothing to do meanwhile,
 * and when nobody could notice: the source is independent of what is written, and the processor is a plain function.
 * Listeners want to see the chunks one after the other.
 */
export const isAhead = ({ body, pipelining, process, source, state }: ChunkEnv): boolean => {
  const { beforeStep: _, onSkipInProcess: _process, onSkipInRead: _read, onSkipInWrite: _write, ...hooks } = state.hooks
  const isUnnoticed = pipelining !== undefined && source.independent === true &&
    (process === undefined || process._tag === "Sync")
  return (body.prefetch ?? isUnnoticed) &&
    state.definition.settings.transactional.length === 0 &&
    Object.values(hooks).every((callback) => callback === undefined)
}

/** All chunks up to the end of the source, or to a request to stop. */
export const chunksAhead = (env: ChunkEnv): AnyEffect => {
  const settle = landAll(env)
  env.settle = settle
  return Effect.zipRight(
    Effect.whileLoop({
      while: () => !env.done && !isStopping(env.state),
      body: () =>
        Effect.flatMap(
          Effect.exit(prepared(env)),
          (next) => Effect.flatMap(makeWay(env, next), () => takeOff(env, next))
        ),
      step: () => {}
    }),
    settle
  )
}

/** Leaves nothing in the air when the step ends in the middle: whoever is still writing is interrupted. */
export const ground = (env: ChunkEnv): Effect.Effect<void> =>
  Effect.suspend(() => {
    const [first, ...others] = env.flights
    return first === undefined ? Effect.void : Effect.flatMap(Fiber.interrupt(first.fiber), (exit) => {
      landed(env, first, exit)
      return Exit.isSuccess(exit) ? ground(env) : drop(env, others)
    })
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Prepared {
  readonly chunk: Chunk
  readonly work: Work
}

/** None when there is nothing to write. */
const prepared = (env: ChunkEnv): Effect.Effect<Prepared | undefined, any, any> =>
  Effect.suspend(() => {
    env.begun = env.state.progress
    return Effect.flatMap(readChunk(env), (chunk) => {
      if (chunk.inputs.length === 0 && chunk.skips.length === 0) {
        env.position = Option.some(chunk.position)
        env.done = chunk.done
        return Effect.succeed(undefined)
      }
      return Effect.map(processChunk(env, chunk), (outputs) => ({ chunk, work: buffered(outputs) }))
    })
  })

type Next = Exit.Exit<Prepared | undefined, any>

/** A chunk waits for those in front of it, unless it can be sent behind the only one. */
const makeWay = (env: ChunkEnv, next: Next): AnyEffect =>
  Effect.suspend(() => {
    const [first, second] = env.flights
    const chunk = Exit.isSuccess(next) ? next.value?.chunk : undefined
    if (first === undefined || (second === undefined && chunk !== undefined && canFollow(env, first, chunk))) {
      return Effect.void
    }
    return Effect.flatMap(land(env, first), () => makeWay(env, next))
  })

const canFollow = (env: ChunkEnv, front: Flight, chunk: Chunk): boolean =>
  canPipeline(env, chunk) && env.pipelining?.connection.isBusy() === true && front.env.state.progress.sent !== undefined

/** Begins to write, and gives the first commands the time to leave. */
const takeOff = (env: ChunkEnv, next: Next): AnyEffect => {
  if (Exit.isFailure(next)) {
    return next
  }
  if (next.value === undefined) {
    env.begun = undefined
    return Effect.void
  }
  const { chunk, work } = next.value
  const parted = env.state.progress
  const own: ChunkEnv = { ...env, state: { ...env.state }, settle: undefined, flights: [] }
  advance(env.state, Progress.branch)
  const [front] = env.flights
  if (front !== undefined) {
    follow(own, front)
  }
  env.position = Option.some(chunk.position)
  env.done = chunk.done
  env.begun = undefined
  const write = writeChunk(own, chunk, work)
  const aware = env.pipelining === undefined ? Effect.provide(write, services(own.state)) : write
  return Effect.forkDaemon(Effect.interruptible(aware)).pipe(
    Effect.map((fiber) => {
      env.flights = [...env.flights, { fiber, parted, env: own }]
    }),
    Effect.uninterruptible,
    Effect.zipRight(turn)
  )
}

/**
 * Sends the first transaction of a chunk right behind that of the chunk in front, as what follows if that succeeds. If it
 * does not, the database refuses this one too, which then is sent again behind whatever became of the chunk in front.
 */
const follow = (own: ChunkEnv, front: Flight): void => {
  const { state } = own
  const pipelining = own.pipelining!
  const hoped = front.env.state.progress.sent!
  advance(state, Progress.assume, hoped)
  own.pipelining = {
    ...pipelining,
    connection: {
      isBusy: pipelining.connection.isBusy,
      transact: (parts, last) => {
        own.pipelining = pipelining
        return Effect.flatMap(
          Effect.exit(pipelining.connection.transact(parts, last)),
          (early) =>
            Effect.flatMap(Fiber.await(front.fiber), (ended): Effect.Effect<any, any> => {
              if (Exit.isFailure(ended)) {
                return Effect.die(new Superseded())
              }
              const { step } = front.env.state.progress
              if (step === hoped && (Exit.isSuccess(early) || mayHaveCommitted(early.cause))) {
                return early
              }
              advance(state, Progress.assume, step)
              return Effect.fail(new Repairable(new Superseded(), Effect.void))
            })
        )
      }
    }
  }
}

const landAll = (env: ChunkEnv): AnyEffect =>
  Effect.suspend(() => {
    const [first] = env.flights
    return first === undefined ? Effect.void : Effect.flatMap(land(env, first), () => landAll(env))
  })

const land = (env: ChunkEnv, first: Flight): AnyEffect =>
  Effect.flatMap(Fiber.await(first.fiber), (exit) => {
    const [, ...others] = env.flights
    landed(env, first, exit)
    return Exit.isSuccess(exit) ? Effect.void : Effect.zipRight(Effect.uninterruptible(drop(env, others)), exit)
  })

/** What was sent behind a chunk that failed has come to nothing. */
const drop = (env: ChunkEnv, flights: ReadonlyArray<Flight>): Effect.Effect<void> => {
  env.flights = []
  return Effect.forEach(flights, ({ fiber }) => Fiber.interrupt(fiber), { discard: true })
}

const landed = (env: ChunkEnv, { env: own, parted }: Flight, exit: Exit.Exit<unknown, unknown>): void => {
  env.flights = env.flights.slice(1)
  env.writerState = own.writerState
  if (Exit.isSuccess(exit)) {
    const written = own.state.progress
    advance(env.state, Progress.rejoin, parted, written)
    env.begun = env.begun && { ...env.state.progress, context: written.context, jobChanges: written.jobChanges }
  } else {
    advance(env.state, Progress.fallBack, own.state.progress)
    env.begun = own.begun
    env.position = own.position
  }
}
