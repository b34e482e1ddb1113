/**
 * Carries out what `machine` decides about a chunk: transaction after transaction, until all of its outputs are written
 * or skipped.
 *
 * While bad records are searched, the stored position stays in front of the chunk and the checkpoint holds how many of
 * its inputs are done, so that a crash in the middle loses and repeats nothing (FT6-9). What the processor put into the
 * execution context becomes durable with the first of these transactions.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { atItem, Fatal, type RefusedItem, refusedItem, refusedItems } from "../../vocabulary/failure.js"
import { waitOut } from "../session/saving.js"
import type { EngineFailure, Item } from "../step/engine.js"
import * as Hooks from "../step/hooks.js"
import * as Chunk from "./chunk.js"
import type { ChunkWrite, OutputSource, RangeWrite } from "./commit.js"
import { runTransaction } from "./commit.js"
import { placeOf, placeOfRange } from "./itemPlace.js"
import * as ChunkMachine from "./machine.js"
import { isSkippable, mayRetry, policyFailure, skip } from "./policies.js"
import type { Outputs } from "./process.js"
import { originOf } from "./process.js"
import type { ChunkEffect, ChunkFailure } from "./rejection.js"
import { Repairable, Superseded, Unreached } from "./rejection.js"
import type { Retries } from "./retries.js"
import { noRetries } from "./retries.js"
import { change } from "./run.js"

/** The outputs of a chunk that was processed before: processed once, whatever happens to the write (D5). */
export const buffered = (outputs: Outputs): OutputSource => ({
  size: () => outputs.items.length,
  inputsBefore: (unit) => originOf(outputs, unit),
  outputs: ({ from, to }) =>
    Effect.succeed(from === 0 && to === outputs.items.length ? outputs.items : outputs.items.slice(from, to)),
  covers: ({ index }, inputs) => index < inputs,
  buffered: true,
  rewind: Effect.void,
  without: (units) => {
    const source = buffered(outputs)
    return {
      ...source,
      outputs: (range) =>
        Effect.map(source.outputs(range), (items) => items.filter((_, at) => !units.has(range.from + at)))
    }
  }
})

/** Writes a chunk, or what a crash in the middle has left of it, and gives the outputs that were written. */
export const writeChunk = (write: ChunkWrite): ChunkEffect<ReadonlyArray<Item>> => {
  const { run, source } = write
  const { scan } = run.state.definition.settings
  return writeFrom(write, {
    machine: run.chunk.offset > 0
      ? ChunkMachine.resume(source.size(), scan, 0)
      : ChunkMachine.start(source.size(), scan),
    retries: noRetries,
    written: []
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** How far the chunk is written. */
interface WriteState {
  readonly machine: ChunkMachine.State
  readonly retries: Retries
  readonly written: ReadonlyArray<Item>
}

/** One transaction, and whatever has to follow it. */
const writeFrom = (write: ChunkWrite, { machine, retries, written }: WriteState): ChunkEffect<ReadonlyArray<Item>> => {
  const { connection, run } = write
  const source = machine.leftOut.size === 0 ? write.source : write.source.without!(machine.leftOut)
  const size = source.size()
  // Not spread: this is made for every transaction, and copying an object that grows costs microseconds.
  const range: RangeWrite = {
    run,
    source,
    connection,
    range: machine.current ?? { from: size, to: size },
    scanning: machine.mode === "Scan"
  }
  const goOn = (next: Next, items: ReadonlyArray<Item>) =>
    writeFrom(write, {
      machine: next.machine,
      retries: isSameWrite(machine, next.machine) ? next.retries : noRetries,
      written: items
    })
  return Effect.matchCauseEffect(runTransaction(range), {
    onSuccess: (items) => {
      const all = written.length === 0 ? items : written.concat(items)
      return range.range.to >= source.size()
        ? Effect.succeed(all)
        : goOn({ machine: ChunkMachine.step(machine, "committed").state, retries }, all)
    },
    onFailure: (cause) =>
      Effect.flatMap(
        Effect.zipLeft(refused({ write: range, machine, retries }, cause), source.rewind),
        (next) => goOn(next, written)
      )
  })
}

const isSameWrite = (before: ChunkMachine.State, after: ChunkMachine.State): boolean =>
  before.mode === after.mode &&
  (after.mode === "Bulk" ||
    before.current?.from === after.current?.from && before.current?.to === after.current?.to)

interface Refusal extends Pick<WriteState, "machine" | "retries"> {
  readonly write: RangeWrite
}

/** What is written next, and how often that was tried. */
type Next = Pick<WriteState, "machine" | "retries">

/** What comes after a rollback: the same range again, a smaller one, or the end of the step. */
const refused = (refusal: Refusal, cause: Cause.Cause<ChunkFailure>): ChunkEffect<Next> => {
  const { retries, write: { run, source } } = refusal
  const failure = policyFailure(cause)
  if (Either.isLeft(failure)) {
    return Effect.failCause(atItem(failure.left, placeOfWrite(refusal.write, undefined)))
  }
  const machine = refusal.machine.mode === "Bulk"
    ? ChunkMachine.start(source.size(), refusal.machine.order)
    : refusal.machine
  const error = failure.right
  if (error instanceof Unreached) {
    return Effect.flatMap(
      waitOut(run.state.session),
      (goesOn) => goesOn ? Effect.succeed(refusal) : refused(refusal, error.cause)
    )
  }
  if (Chunk.isKeptOpen(run.chunk)) {
    const isLeftOut = run.chunk.noRollback === "usedInWrite"
    change(run, Chunk.spendNoRollback)
    return Effect.succeed({ machine: isLeftOut ? ChunkMachine.step(machine, "refused").state : machine, retries })
  }
  if (error instanceof Superseded) {
    return error.isFrontDurable ? Effect.succeed(refusal) : Effect.fail(error)
  }
  return error instanceof Repairable
    ? Effect.as(error.repair, refusal)
    : writeRefused({ ...refusal, machine }, error)
}

const writeRefused = (
  { machine, retries, write }: Refusal,
  error: EngineFailure
): ChunkEffect<Next> =>
  Effect.gen(function*() {
    const { run, scanning, source } = write
    const { outputs } = run.chunk
    const { onWriteError } = run.state.hooks
    const skippable = outputs.length > 0 && isSkippable(run, error)
    if (!(scanning && skippable)) {
      const retry = yield* mayRetry(run, retries, error, { phase: "write", items: outputs })
      if (retry.again) {
        return { machine, retries: retry.retries }
      }
    }
    const told = outputs.length === 0 || error instanceof Fatal
      ? Effect.void
      : Hooks.tell(onWriteError, error, outputs)
    if (!skippable) {
      const place = error instanceof Fatal ? undefined : placeOfWrite(write, namedBy(error, machine, outputs.length))
      return yield* Effect.zipRight(told, Effect.failCause(atItem(Cause.fail(error), place)))
    }
    if (!scanning) {
      yield* told
    }
    const tried = triedOf(error, write)
    if (tried.length > 0) {
      return { machine: yield* leaveOut(write, machine, tried), retries }
    }
    const next = ChunkMachine.step(machine, "refused", namedBy(error, machine, outputs.length))
    if (next.skip !== undefined) {
      const index = source.inputsBefore(next.skip)
      const skipped = skip(run, Chunk.badOutput(index, outputs[0], error))
      yield* scanning ? Effect.tapError(skipped, () => told) : skipped
    }
    return { machine: next.state, retries }
  })

/**
 * The outputs that an error says are refused, each for an error of its own, up to one that may not be skipped. Who has the
 * items written one by one has it done so.
 */
const triedOf = (error: unknown, { run, source }: RangeWrite): ReadonlyArray<RefusedItem> => {
  const tried = Predicate.hasProperty(error, refusedItems) ? error[refusedItems] as Tried : undefined
  if (tried === undefined || source.without === undefined || run.state.definition.settings.scan !== "bisect") {
    return []
  }
  const end = tried.findIndex(({ error, item }) => item >= run.chunk.outputs.length || !isSkippable(run, error))
  return end < 0 ? tried : tried.slice(0, end)
}

type Tried = ReadonlyArray<RefusedItem> | undefined

/** Skips outputs that are known to be refused, so that all others are written together. */
const leaveOut = (
  { run, source }: RangeWrite,
  machine: ChunkMachine.State,
  tried: ReadonlyArray<RefusedItem>
): ChunkEffect<ChunkMachine.State> => {
  const { outputs } = run.chunk
  const places = ChunkMachine.written(machine)
  return Effect.as(
    Effect.forEach(tried, ({ error, item }) =>
      Effect.tapError(
        skip(run, Chunk.badOutput(source.inputsBefore(places[item]!), outputs[item], error)),
        () => Hooks.tell(run.state.hooks.onWriteError, error as EngineFailure, [outputs[item]])
      ), { discard: true }),
    ChunkMachine.leaveOut(machine, tried.map(({ item }) => places[item]!))
  )
}

/** The item that was refused, or the items among which it is. */
const placeOfWrite = ({ range, run, source }: RangeWrite, unit: number | undefined): string | undefined => {
  const to = Math.min(range.to, source.size())
  const refused = unit ?? (to === range.from + 1 ? range.from : undefined)
  const item = refused === undefined ? undefined : run.chunk.outputs[refused - range.from]
  return run.chunk.outputs.length === 0
    ? undefined
    : refused === undefined || item === undefined
    ? placeOfRange(run, source.inputsBefore(range.from), source.inputsBefore(to - 1) + 1)
    : placeOf(run, { phase: "write", index: source.inputsBefore(refused), item: Option.some(item) })
}

/** The output that an error is about, when it says so, as that of a COPY does, which knows its line. */
const namedBy = (error: unknown, machine: ChunkMachine.State, size: number): number | undefined => {
  const item = Predicate.hasProperty(error, refusedItem) ? Number(error[refusedItem]) : Number.NaN
  return !(item >= 0 && item < size)
    ? undefined
    : machine.leftOut.size === 0
    ? (machine.current?.from ?? 0) + item
    : ChunkMachine.written(machine)[item]
}
