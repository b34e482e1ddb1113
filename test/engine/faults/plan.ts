/**
 * A step that is described by data: what its records do, and the policies. The engine runs it, and so does the reference.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import { ItemProcessor, ItemReader, ItemWriter, Step } from "../../../src/index.js"
import type { Position } from "../../../src/item/ItemReader.js"

/** What the policies of every plan do about a fault. */
export type Kind = "Skippable" | "Retryable" | "Both" | "Neither"

export interface Fault {
  readonly kind: Kind
  /** How often it happens; Infinity for always. */
  readonly times: number
}

export interface Record {
  /** The pull that begins here fails. */
  readonly pull?: Fault | undefined
  /** It cannot be read. */
  readonly bad?: Kind | undefined
  readonly filtered?: boolean | undefined
  readonly process?: Fault | undefined
  readonly write?: Fault | undefined
}

export interface Plan {
  readonly records: ReadonlyArray<Record>
  readonly chunkSize: number
  readonly scan: "bisect" | "one-by-one"
  readonly skipLimit: number
  readonly retries: number
  /** What happens inside the transaction, besides the write. */
  readonly inside: "nothing" | "process" | "read"
  /** Whether a chunk is read and processed while the one in front is written, and how many turns that takes. */
  readonly prefetch: number | undefined
  /** Whether the writer has a state of its own stored: first of all when it is opened, in a transaction of its own. */
  readonly stateful?: boolean | undefined
}

export interface Outcome {
  readonly status: string
  readonly counts:
    & { readonly [K in "read" | "write" | "filter" | "commit" | "rollback"]: number }
    & {
      readonly [K in "readSkip" | "processSkip" | "writeSkip"]: number
    }
  readonly written: ReadonlyArray<number>
  /** What the skip listeners heard in transactions that committed, such as "write 3"; sorted. */
  readonly skipped: ReadonlyArray<string>
}

export const isSkippable = (kind: Kind): boolean => kind === "Skippable" || kind === "Both"
export const isRetryable = (kind: Kind): boolean => kind === "Retryable" || kind === "Both"

/** Says at each call whether the fault happens now. */
export const makeFaults = (records: ReadonlyArray<Record>) => {
  const happened = new Map<string, number>()
  return (place: "pull" | "process" | "write", index: number): Kind | undefined => {
    const fault = records[index]?.[place]
    const times = happened.get(`${place} ${index}`) ?? 0
    if (fault === undefined || times >= fault.times) {
      return undefined
    }
    happened.set(`${place} ${index}`, times + 1)
    return fault.kind
  }
}

export class Skippable extends Data.TaggedError("Skippable")<{ readonly index: number }> {}
export class Retryable extends Data.TaggedError("Retryable")<{ readonly index: number }> {}
export class Both extends Data.TaggedError("Both")<{ readonly index: number }> {}
export class Neither extends Data.TaggedError("Neither")<{ readonly index: number }> {}
interface Output {
  readonly index: number
}

type Failure = Skippable | Retryable | Both | Neither

const failure = (kind: Kind, index: number): Failure =>
  kind === "Skippable"
    ? new Skippable({ index })
    : kind === "Retryable"
    ? new Retryable({ index })
    : kind === "Both"
    ? new Both({ index })
    : new Neither({ index })

/** The step of a plan, and what it wrote and reported in transactions that committed. */
export const makeStep = ({ chunkSize, inside, prefetch, records, retries, scan, skipLimit, stateful }: Plan) => {
  const faults = makeFaults(records)
  const written: Array<number> = []
  const skipped: Array<string> = []
  const memory = Effect.runSync(Effect.scoped(ItemWriter.inMemory(written).open(Option.none())))
  const reports = Effect.runSync(Effect.scoped(ItemWriter.inMemory(skipped).open(Option.none())))
  const report = (phase: string) => (_: unknown, error: unknown) =>
    reports.write([`${phase} ${(error as Failure).index}`])
  const step = Step.chunk("plan", {
    reader: readerOf(records, faults),
    processor: ItemProcessor.filterMapEffect((index: number): Effect.Effect<Option.Option<Output>, Failure> => {
      const kind = faults("process", index)
      return kind !== undefined
        ? Effect.fail(failure(kind, index))
        : Effect.succeed(records[index]?.filtered === true ? Option.none() : Option.some({ index }))
    }),
    writer: ItemWriter.make("plan", {
      delivery: "transactional",
      open: () =>
        Effect.succeed({
          ...(stateful === true ? { flush: Effect.sync(() => written.length) } : {}),
          write: (outputs: ReadonlyArray<Output>) =>
            Effect.flatMap(turns(prefetch ?? 0), () => {
              for (const { index } of outputs) {
                const kind = faults("write", index)
                if (kind !== undefined) {
                  return Effect.fail(failure(kind, index))
                }
              }
              return memory.write(outputs.map(({ index }) => index))
            })
        })
    }),
    chunkSize,
    prefetch: prefetch !== undefined
  }).pipe(
    Step.retry(["Retryable", "Both"], { times: retries }),
    Step.skip(["Skippable", "Both"], { limit: skipLimit }),
    Step.scan(scan),
    inside === "nothing" ? identity : inside === "read" ? Step.readInTransaction : Step.processInTransaction,
    Step.listen({
      onSkipInRead: (error: unknown) => report("read")(undefined, error),
      onSkipInProcess: report("process"),
      onSkipInWrite: report("write")
    })
  )
  return { step, written, skipped }
}

/** Time for whatever else is to be done. */
const turns = (count: number): Effect.Effect<void> =>
  count === 0
    ? Effect.void
    : Effect.flatMap(
      Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void))),
      () => turns(count - 1)
    )

/** The position is the number of records that were passed. */
const readerOf = (records: ReadonlyArray<Record>, faults: ReturnType<typeof makeFaults>) =>
  ItemReader.make("plan", (from: Option.Option<Position>) =>
    Effect.sync(() => {
      let next = Option.match(from, { onNone: () => 0, onSome: Number })
      const pull = (max: number): Effect.Effect<ItemReader.Page<number, Failure>, Failure> =>
        Effect.suspend(() => {
          const items: Array<number> = []
          let bad = Option.none<Failure>()
          while (items.length < max && next < records.length && Option.isNone(bad)) {
            const kind = faults("pull", next)
            if (kind !== undefined) {
              return items.length === 0 ? Effect.fail(failure(kind, next)) : again(items, next, kind)
            }
            const record = records[next]!
            if (record.bad === undefined) {
              items.push(next)
            } else {
              bad = Option.some(failure(record.bad, next))
            }
            next++
          }
          return Effect.succeed({ items, position: next, failure: bad, done: next >= records.length })
        })
      // The fault was met in the middle of a page, so the next pull has to meet it.
      let pending: Kind | undefined
      const again = (items: ReadonlyArray<number>, position: number, kind: Kind) => {
        pending = kind
        return Effect.succeed<ItemReader.Page<number, Failure>>({
          items,
          position,
          failure: Option.none(),
          done: false
        })
      }
      return {
        pull: (max: number) =>
          Effect.suspend(() => {
            const kind = pending
            pending = undefined
            return kind === undefined ? pull(max) : Effect.fail(failure(kind, next))
          })
      }
    }))

const kind: FastCheck.Arbitrary<Kind> = FastCheck.oneof(
  { weight: 6, arbitrary: FastCheck.constant<Kind>("Skippable") },
  { weight: 3, arbitrary: FastCheck.constant<Kind>("Retryable") },
  { weight: 2, arbitrary: FastCheck.constant<Kind>("Both") },
  { weight: 1, arbitrary: FastCheck.constant<Kind>("Neither") }
)

const fault = (wild: boolean): FastCheck.Arbitrary<Fault> =>
  wild
    ? FastCheck.record({ kind, times: FastCheck.constantFrom(1, 2, 3, Infinity, Infinity) })
    // Once and for all, so that a second run meets the same faults; or gone before the retries are.
    : FastCheck.constantFrom<Array<Fault>>({ kind: "Skippable", times: Infinity }, { kind: "Retryable", times: 1 })

/** In so many of twenty cases. */
const often = <A>(weight: number, arbitrary: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<A | undefined> =>
  FastCheck.oneof(
    { weight: 20 - weight, arbitrary: FastCheck.constant(undefined) },
    { weight, arbitrary }
  )

const record = (wild: boolean): FastCheck.Arbitrary<Record> =>
  FastCheck.record({
    pull: often(1, wild ? fault(true) : FastCheck.constant<Fault>({ kind: "Retryable", times: 1 })),
    bad: often(1, wild ? kind : FastCheck.constant<Kind>("Skippable")),
    filtered: FastCheck.integer({ min: 0, max: 9 }).map((n) => n < 2),
    process: often(2, fault(wild)),
    write: often(6, fault(wild))
  })

/**
 * Any plan; or, not `wild`, one that completes and whose faults do not depend on how often they are met.
 */
export const plan = (wild: boolean): FastCheck.Arbitrary<Plan> =>
  FastCheck.record({
    records: FastCheck.array(record(wild), { maxLength: 14 }),
    chunkSize: FastCheck.integer({ min: 1, max: 8 }),
    scan: FastCheck.constantFrom("bisect", "one-by-one"),
    skipLimit: wild ? FastCheck.constantFrom(0, 2, 5, 90, 90) : FastCheck.constant(90),
    retries: wild ? FastCheck.constantFrom(0, 1, 3) : FastCheck.constant(20),
    inside: wild ? FastCheck.constant("nothing") : FastCheck.constantFrom("nothing", "process", "read"),
    prefetch: FastCheck.constantFrom(undefined, 0, 1, 4)
  })
