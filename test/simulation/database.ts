/**
 * The database that virtual processes share: the repository in memory, with one transaction at a time, a clock of its own, and
 * what happens to a client that dies, freezes or is not answered.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import type { Encoded } from "../../src/ports/JobRepository.js"
import { makeEncoded } from "../../src/ports/JobRepository.js"
import * as MemoryDriver from "../../src/ports/memoryDriver.js"
import type { EncodedPartitions } from "../../src/ports/partitionsDriver.js"
import * as Transactor from "../../src/ports/Transactor.js"
import { JobRepositoryError, TransactionError } from "../../src/vocabulary/BatchError.js"
import type { Machine, Process } from "./machine.js"
import { clockOf } from "./machine.js"

/** A driver with a flaw, to see that it is found. */
export type Flaw = (driver: Encoded) => Encoded

export interface Options {
  readonly machine: Machine
  readonly flaw: Flaw | undefined
  /** Whether transactions do not keep each other out: a flaw, too. */
  readonly isUnlocked: boolean
}

/** What a process sees of it. */
export interface Connection {
  readonly repository: ReturnType<typeof makeEncoded>
  readonly transactor: Context.Tag.Service<Transactor.Transactor>
  /** A statement of the user's own. */
  readonly statement: <A>(run: Effect.Effect<A>) => Effect.Effect<A, JobRepositoryError>
  readonly next: Next
}

/** What becomes of the next commit, for once. */
interface Next {
  commit: "answered" | "unanswered" | "lost"
}

export interface Database {
  readonly driver: Encoded
  readonly connect: (process: Process) => Connection
  /** The process is dead, or frozen: what it has open is rolled back. */
  readonly cut: (process: Process) => void
  /** Whoever waits may go on: a process was thawed. */
  readonly wake: () => void
  /** No statement is answered until then. */
  outageUntil: number
  /** How far its clock was set, in milliseconds. */
  jump: number
}

export const make = ({ flaw, isUnlocked, machine }: Options): Database => {
  const { driver: plain, transactor } = Effect.runSync(MemoryDriver.make)
  const driver = flaw?.(plain) ?? plain
  const lock = makeLock(isUnlocked)
  const database: Database = {
    driver,
    connect: (process) => connect({ database, driver, lock, machine, process, transactor }),
    cut: (process) => lock.cut(process),
    wake: lock.pump,
    outageUntil: 0,
    jump: 0
  }
  return database
}

// -------------------------------------------------------------------------------------
// the lock
// -------------------------------------------------------------------------------------

/** The right to use the database. `isBroken`: it was taken away, with all that was done by it. */
interface Grant {
  readonly process: Process
  readonly go: () => void
  isBroken: boolean
  open: Transactor.Open | undefined
}

const makeLock = (isUnlocked: boolean) => {
  let holders: Array<Grant> = []
  let waiting: Array<Grant> = []
  const pump = (): void => {
    const next = isUnlocked || holders.length === 0
      ? waiting.find(({ process }) => process.state === "alive")
      : undefined
    if (next !== undefined) {
      waiting = waiting.filter((other) => other !== next)
      holders.push(next)
      next.go()
      pump()
    }
  }
  const release = (grant: Grant): void => {
    holders = holders.filter((other) => other !== grant)
    pump()
  }
  const once = (process: Process): Effect.Effect<Grant> =>
    Effect.async<Grant>((resume) => {
      const grant: Grant = { process, go: () => resume(Effect.succeed(grant)), isBroken: false, open: undefined }
      waiting.push(grant)
      pump()
    })
  const acquire = (process: Process): Effect.Effect<Grant> =>
    Effect.flatMap(once(process), (grant) => grant.isBroken ? acquire(process) : Effect.succeed(grant))
  return {
    pump,
    release,
    acquire,
    cut: (process: Process): void => {
      const cut = holders.filter((grant) => grant.process === process)
      holders = holders.filter((grant) => grant.process !== process)
      for (const grant of cut) {
        grant.isBroken = true
        const undos = grant.open?.isOver === false ? grant.open.undos.splice(0) : []
        undos.reverse().forEach((undo) => Effect.runSync(undo))
      }
      if (process.state === "dead") {
        waiting = waiting.filter((grant) => grant.process !== process)
      }
      pump()
    }
  }
}

// -------------------------------------------------------------------------------------
// connections
// -------------------------------------------------------------------------------------

interface Client {
  readonly database: Database
  readonly driver: Encoded
  readonly lock: ReturnType<typeof makeLock>
  readonly machine: Machine
  readonly process: Process
  readonly transactor: Context.Tag.Service<Transactor.Transactor>
}

const grants = new WeakMap<Transactor.Open, Grant>()

const gone = (operation: string) =>
  new JobRepositoryError({ operation, reason: "transient", detail: "the connection is gone" })

const currentGrant: Effect.Effect<Grant | undefined> = Effect.map(
  Effect.suspend(() => FiberRef.get(Transactor.CurrentTransaction)),
  (open) => open === undefined || open.isOver ? undefined : grants.get(open)
)

const connect = (client: Client): Connection => {
  const { database, driver, lock, machine, process } = client
  const clock = clockOf(machine.now, () => database.jump, machine.after)
  const isAway = () => machine.now() < database.outageUntil
  const statement = <A, E>(operation: string, run: Effect.Effect<A, E>): Effect.Effect<A, E | JobRepositoryError> => {
    const answer = Effect.suspend((): Effect.Effect<A, E | JobRepositoryError> =>
      isAway() ? Effect.fail(gone(operation)) : Effect.withClock(run, clock)
    )
    const inside = (grant: Grant) =>
      Effect.zipRight(
        Effect.yieldNow(),
        Effect.suspend(() => grant.isBroken ? Effect.fail(gone(operation)) : answer)
      )
    const alone = Effect.acquireUseRelease(
      lock.acquire(process),
      () => answer,
      (grant) => Effect.sync(() => lock.release(grant))
    )
    return Effect.flatMap(currentGrant, (grant) => grant === undefined ? alone : inside(grant)).pipe(
      Effect.zipLeft(Effect.yieldNow())
    )
  }
  const next: Next = { commit: "answered" }
  const transacting = transact(client, next, isAway)
  return {
    repository: makeEncoded(encoded(driver, statement, (effect) =>
      Effect.catchAll(
        transacting(effect),
        (error) =>
          Effect.fail(
            error instanceof TransactionError
              ? new JobRepositoryError({ operation: "transact", reason: "transient", detail: "not answered" })
              : error
          )
      ) as any)),
    transactor: { transact: transacting },
    statement: (run) => statement("statement", run),
    next
  }
}

type Statement = <A, E>(operation: string, run: Effect.Effect<A, E>) => Effect.Effect<A, E | JobRepositoryError>

const encoded = (driver: Encoded, statement: Statement, transact: Encoded["transact"]): Encoded => {
  const guarded = <Members extends object>(members: Members, free: ReadonlyArray<string>): Members =>
    Object.fromEntries(
      Object.entries(members).map(([name, member]) => [
        name,
        free.includes(name)
          ? member
          : typeof member === "function"
          ? (...args: ReadonlyArray<unknown>) => statement(name, (member as any)(...args))
          : Effect.isEffect(member)
          ? statement(name, member as Effect.Effect<unknown>)
          : member
      ])
    ) as Members
  const { partitions, ...others } = driver
  return {
    ...guarded(others as Encoded, ["claimTag", "beatsQueue"]),
    transact,
    partitions: guarded<EncodedPartitions>(partitions, ["wake", "awaken"])
  }
}

const transact = (
  { lock, machine, process, transactor }: Client,
  next: Next,
  isAway: () => boolean
): Context.Tag.Service<Transactor.Transactor>["transact"] =>
(effect, options) => {
  const failed = (phase: "begin" | "body" | "commit") =>
    new TransactionError({ reason: "transient", phase, cause: new Error(`not answered at ${machine.now()}`) })
  const commit = (grant: Grant) =>
    Effect.zipRight(
      Effect.yieldNow(),
      Effect.suspend(() => {
        const isLost = next.commit === "lost"
        if (isLost) {
          next.commit = "answered"
        }
        return grant.isBroken || isAway() || isLost ? Effect.fail(failed("commit")) : Effect.void
      })
    )
  const run = (grant: Grant) =>
    transactor.transact(
      Effect.flatMap(Effect.suspend(() => FiberRef.get(Transactor.CurrentTransaction)), (open) => {
        grant.open = open
        grants.set(open!, grant)
        return Effect.zipLeft(effect, commit(grant))
      }),
      options
    ).pipe(Effect.zipLeft(Effect.suspend(() => {
      const isAnswered = next.commit !== "unanswered"
      next.commit = "answered"
      return isAnswered ? Effect.void : Effect.fail(failed("commit"))
    })))
  return Effect.flatMap(currentGrant, (grant) =>
    grant !== undefined
      ? transactor.transact(effect, options)
      : Effect.acquireUseRelease(
        lock.acquire(process),
        (grant) => isAway() ? Effect.fail(failed("begin")) : run(grant),
        (grant) => Effect.sync(() => lock.release(grant))
      ))
}
