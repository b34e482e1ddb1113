/**
 * Slots: fibers that take partitions of a plan, one after the other, until there is nothing to take.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Erased } from "../../definition/erased.js"
import type { PartitionBody } from "../../definition/tree.js"
import type { ClaimWitness, JobRepository, OwnerFailure } from "../../ports/JobRepository.js"
import type { ClaimedPartition, PartitionPlan } from "../../ports/partitions.js"
import { describe } from "../../vocabulary/failure.js"
import { Ownership } from "../session/ownership.js"
import * as Running from "../session/running.js"
import type { RunClaimed } from "../session/session.js"
import { childJob } from "./child.js"

/**
 * - `plan`: what is taken from. `body`: this process's code for it.
 * - `run`: runs an execution that was claimed, where nothing can interrupt but the job itself.
 * - `isStopping`: whether nothing more is to be taken.
 * - `save`: tries again what the repository has not answered, as long as that makes sense.
 */
export interface Source {
  readonly repository: JobRepository["Type"]
  readonly plan: PartitionPlan
  readonly body: PartitionBody
  readonly run: RunClaimed
  readonly isStopping: () => boolean
  readonly save: <A>(write: Effect.Effect<A, OwnerFailure>) => Effect.Effect<A, OwnerFailure>
}

/** Takes and runs partitions until there is nothing to take; how many it ran. */
export const work = (source: Source): Erased<number, OwnerFailure> =>
  Effect.gen(function*() {
    let count = 0
    while (!source.isStopping() && (yield* takeAndRun(source))) {
      count++
    }
    return count
  })

/** How many slots are busy, and a way to wait until one is free again. */
export interface Pool {
  readonly size: number
  active: number
  failure: Exit.Exit<never, OwnerFailure> | undefined
  ended: Deferred.Deferred<void>
}

export const makePool = (size: number): Effect.Effect<Pool> =>
  Effect.map(Deferred.make<void>(), (ended) => ({ size, active: 0, failure: undefined, ended }))

/** Puts every free slot to work, in fibers of the Scope. A slot that can't reach the repository is told by `failure`. */
export const fill = <R>(
  pool: Pool,
  working: Effect.Effect<unknown, OwnerFailure, R>
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.suspend(() => {
    const free = pool.size - pool.active
    pool.active += free
    const slot = Effect.onExit(
      working,
      (exit) =>
        Effect.flatMap(Deferred.make<void>(), (next) =>
          Effect.suspend(() => {
            pool.active--
            if (Exit.isFailure(exit)) {
              pool.failure = exit as Exit.Exit<never, OwnerFailure>
            }
            const { ended } = pool
            pool.ended = next
            return Deferred.succeed(ended, undefined)
          }))
    )
    return Effect.forEach(Array.from({ length: free }), () => Effect.forkScoped(slot), { discard: true })
  })

/** Completes when no slot is busy. */
export const awaitIdle = (pool: Pool): Effect.Effect<void> =>
  Effect.suspend(() => pool.active === 0 ? Effect.void : Effect.zipRight(Deferred.await(pool.ended), awaitIdle(pool)))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What it has taken it runs, or gives up: an interruption between the two would leave a partition that nobody may begin. */
const takeAndRun = (source: Source): Erased<boolean, OwnerFailure> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Running.claiming((witness) => restore(take(source, witness))),
      Option.match({
        onNone: () => Effect.succeed(false),
        onSome: (claimed) => Effect.as(runOne(source, claimed), true)
      })
    )
  )

/** `outer`: who gives up what was taken in vain. What an attempt without an answer has taken is given up at once. */
const take = (
  { plan, repository, save }: Source,
  outer: ClaimWitness
): Effect.Effect<Option.Option<ClaimedPartition>, OwnerFailure> =>
  Effect.gen(function*() {
    const { lease, owner } = yield* Ownership
    const leaseMillis = Duration.toMillis(lease)
    return yield* save(
      Running.claiming((witness) => {
        const onToken = (token: string) => {
          witness.onToken?.(token)
          outer.onToken?.(token)
        }
        return repository.partitions.claim(plan.id, { owner, leaseMillis, ...witness, onToken })
      })
    )
  })

/**
 * Whatever becomes of it is recorded with the partition. Who has lost it to another process, or can't record its end, leaves it
 * to the lease.
 */
const runOne = (
  { body, plan, repository, run, save }: Source,
  { execution, input, name }: ClaimedPartition
): Erased<void, OwnerFailure> => {
  const job = childJob(body, { jobName: execution.instance.jobName, stepName: plan.stepName, name, input })
  const parentId = execution.parent?.executionId ?? plan.executionId
  return Effect.matchCauseEffect(run(job, execution), {
    onFailure: (cause) =>
      Effect.interruptible(
        Effect.logWarning(`Partition "${name}" of step "${plan.stepName}" was left: ${describe(cause)}`)
      ),
    onSuccess: ({ status }) =>
      body.onFailure === "stop" && status === "FAILED"
        ? Effect.interruptible(save(repository.partitions.close(plan.id, parentId)))
        : Effect.void
  })
}
