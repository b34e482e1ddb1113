/**
 * Writes the outputs of a chunk: carries out what `chunkMachine` decides, each write in one transaction with the
 * checkpoint that belongs to it.
 *
 * While a chunk is being scanned, the stored position stays in front of the chunk and the checkpoint holds how many
 * of its items are done, so that a crash in the middle of the scan loses and repeats nothing (FT6-9).
 */
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { BatchEvent } from "../BatchEvent.js"
import type { SkippedItem } from "../SkippedItem.js"
import type { Chunk, ChunkEnv, Retries, Skip } from "./chunkEnv.js"
import { isSkippable, mayRetry, noRetries, skip } from "./chunkEnv.js"
import * as ChunkMachine from "./chunkMachine.js"
import type { Outputs } from "./chunkProcess.js"
import { originOf } from "./chunkProcess.js"
import type { AnyEffect } from "./definition.js"
import { describe, describeError, Fatal, tagOf } from "./failure.js"
import * as FaultPoint from "./faultPoint.js"
import * as Json from "./json.js"
import { commit, count, current } from "./stepState.js"

/** What is stored with each commit of a chunk step. */
export interface Checkpoint {
  readonly reader: Option.Option<Json.Json>
  readonly writer: Option.Option<Json.Json>
  /** In the middle of a scan: the chunk has `items` items, of which `done` are written, filtered or skipped. */
  readonly scan: Option.Option<{ readonly items: number; readonly done: number }>
}

/** Writes a chunk from the beginning, or from where an interrupted scan had come to. */
export const writeChunk = (
  env: ChunkEnv,
  chunk: Chunk,
  outputs: Outputs,
  scannedItems = 0
): Effect.Effect<void, any, any> =>
  Effect.gen(function*() {
    const { scan } = env.state.definition.settings
    const size = outputs.items.length
    let machine = scannedItems === 0
      ? ChunkMachine.start(size, scan)
      : ChunkMachine.resume(size, scan, firstFrom(outputs, scannedItems))
    let retries = noRetries()
    let complete = false
    while (!complete) {
      const range = machine.current ?? { from: size, to: size }
      const last = range.to === size
      const result = yield* Effect.exit(writeRange(env, chunk, outputs, range, last))
      if (result._tag === "Success") {
        machine = ChunkMachine.step(machine, "committed").state
        retries = noRetries()
        complete = last
      } else {
        machine = yield* refused(env, chunk, outputs, machine, range, result.cause, retries)
      }
    }
    env.position = Option.some(chunk.position)
    const { afterChunk } = env.state.hooks
    if (afterChunk !== undefined) {
      yield* Effect.mapError(afterChunk(outputs.items), (error) => new Fatal(error))
    }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const firstFrom = (outputs: Outputs, item: number): number => {
  for (let i = 0; i < outputs.items.length; i++) {
    if (originOf(outputs, i) >= item) {
      return i
    }
  }
  return outputs.items.length
}

/** One transaction: the range, the skips that are not durable yet, and the checkpoint. */
const writeRange = (
  env: ChunkEnv,
  chunk: Chunk,
  outputs: Outputs,
  range: ChunkMachine.Range,
  last: boolean
): Effect.Effect<void, any, any> => {
  const items = range.from === 0 && range.to === outputs.items.length
    ? outputs.items
    : outputs.items.slice(range.from, range.to)
  const skips = [...chunk.skips]
  const work = Effect.gen(function*() {
    yield* FaultPoint.hit("beforeWrite")
    yield* writeItems(env, items)
    yield* Effect.mapError(reportSkips(env, skips), (error) => new Fatal(error))
    const writer = env.sink.flush === undefined ? Option.none() : Option.some(yield* env.sink.flush)
    yield* FaultPoint.hit("afterWrite")
    const checkpoint: Checkpoint = last
      ? { reader: Option.some(chunk.position), writer, scan: Option.none() }
      : {
        reader: env.position,
        writer,
        scan: Option.some({ items: chunk.items.length, done: originOf(outputs, range.to) })
      }
    return { checkpoint, writer }
  })
  let written: Option.Option<Json.Json> = env.writerState
  const transaction = commit(
    env.state,
    Effect.map(work, ({ checkpoint, writer }) => {
      written = writer
      return Option.some(encodeCheckpoint(checkpoint))
    }),
    { write: items.length, commit: last && chunk.items.length > 0 ? 1 : 0 }
  )
  return Effect.onExit(transaction, (exit) => {
    if (exit._tag === "Failure") {
      return rolledBack(env, exit.cause)
    }
    chunk.skips.splice(0, skips.length)
    env.writerState = written
    return committed(env)
  }).pipe(Effect.zipRight(FaultPoint.hit("afterCommit")))
}

const writeItems = (env: ChunkEnv, items: ReadonlyArray<any>): AnyEffect => {
  const { afterWrite, beforeCommit, beforeWrite } = env.state.hooks
  if (items.length === 0) {
    return Effect.void
  }
  const write = env.sink.write(items)
  if (beforeWrite === undefined && afterWrite === undefined && beforeCommit === undefined) {
    return write
  }
  const listener = (callback: ((items: ReadonlyArray<any>) => AnyEffect) | undefined): AnyEffect =>
    callback === undefined ? Effect.void : Effect.mapError(callback(items), (error) => new Fatal(error))
  return listener(beforeWrite).pipe(
    Effect.zipRight(write),
    Effect.zipRight(Effect.suspend(() => listener(afterWrite))),
    Effect.zipRight(Effect.suspend(() => listener(beforeCommit)))
  )
}

const committed = (env: ChunkEnv): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { session, step } = env.state
    session.publish(BatchEvent.ChunkCommitted({ job: session.execution, step, progress: env.source.progress?.() }))
    return env.sink.committed ?? Effect.void
  })

const rolledBack = (env: ChunkEnv, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { session } = env.state
    count(env.state, { rollback: 1 })
    session.publish(
      BatchEvent.ChunkRolledBack({ job: session.execution, step: current(env.state), message: describe(cause) })
    )
    return env.sink.rollback ?? Effect.void
  })

/** What comes after a rollback: the same range again, a smaller one, or the end of the step. */
const refused = (
  env: ChunkEnv,
  chunk: Chunk,
  outputs: Outputs,
  machine: ChunkMachine.State,
  range: ChunkMachine.Range,
  cause: Cause.Cause<any>,
  retries: Retries
): Effect.Effect<ChunkMachine.State, any, any> =>
  Effect.gen(function*() {
    const failure = Cause.failureOrCause(cause)
    if (Either.isRight(failure)) {
      return yield* Effect.failCause(failure.right)
    }
    const error = failure.left
    const skippable = machine.current !== undefined && isSkippable(env, error)
    const scanning = machine.mode === "Scan"
    if (!(scanning && skippable) && (yield* mayRetry(env, retries, error))) {
      return machine
    }
    const { onWriteError } = env.state.hooks
    if (onWriteError !== undefined && !(error instanceof Fatal) && !(scanning && skippable)) {
      const listened = onWriteError(error, outputs.items.slice(range.from, range.to))
      yield* Effect.mapError(listened, (failed) => new Fatal(failed))
    }
    if (!skippable) {
      return yield* Effect.fail(error)
    }
    const next = ChunkMachine.step(machine, "refused")
    if (next.skip !== undefined) {
      yield* skip(env, chunk, { phase: "write", item: Option.some(outputs.items[next.skip]), error })
    }
    return next.state
  })

/** Tells the listeners and the quarantine about skips, in the transaction that makes them durable (D8). */
const reportSkips = (env: ChunkEnv, skips: ReadonlyArray<Skip>): AnyEffect =>
  skips.length === 0 ? Effect.void : Effect.gen(function*() {
    const { onSkipInProcess, onSkipInRead, onSkipInWrite } = env.state.hooks
    for (const { error, item, phase } of skips) {
      if (phase === "read") {
        yield* onSkipInRead?.(error) ?? Effect.void
      } else {
        const listener = phase === "process" ? onSkipInProcess : onSkipInWrite
        yield* listener?.(Option.getOrUndefined(item), error) ?? Effect.void
      }
    }
    const { quarantine } = env.state.definition.settings
    if (quarantine !== undefined) {
      const now = yield* DateTime.now
      yield* env.state.session.repository.addSkippedItems(
        env.state.step,
        skips.map((skipped) => quarantined(env, skipped, quarantine, now))
      )
    }
  })

const quarantined = (
  env: ChunkEnv,
  { error, item, phase }: Skip,
  encode: (item: unknown) => unknown,
  createTime: DateTime.Utc
): SkippedItem => ({
  stepName: env.state.definition.name,
  phase,
  position: env.position,
  errorTag: tagOf(error),
  message: describeError(error),
  item: Option.flatMap(item, (value) => Either.getRight(Json.fromUnknown(encode(value)))),
  createTime
})

export const encodeCheckpoint = ({ reader, scan, writer }: Checkpoint): Json.Json => ({
  ...(Option.isSome(reader) ? { reader: reader.value } : {}),
  ...(Option.isSome(writer) ? { writer: writer.value } : {}),
  ...(Option.isSome(scan) ? { scan: { ...scan.value } } : {})
})

/** Total: whatever is not there is none. */
export const decodeCheckpoint = (stored: Option.Option<Json.Json>): Checkpoint => {
  const fields = Option.getOrElse(Option.filter(stored, Json.isRecord), () => ({} as Json.JsonRecord))
  const scan = fields["scan"]
  return {
    reader: Option.fromNullable(fields["reader"]),
    writer: Option.fromNullable(fields["writer"]),
    scan: scan !== undefined && Json.isRecord(scan)
      ? Option.some({ items: Number(scan["items"]), done: Number(scan["done"]) })
      : Option.none()
  }
}
