/**
 * For tests with real clocks and short leases: a machine that is busy for as long as a lease takes it from a process that has
 * done nothing wrong.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/** Runs a job again, when its lease is over, as long as the machine may be the reason why that was lost. */
export const heldUp = (may: Effect.Effect<boolean>) => <A, E, R>(run: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.retry(run, {
    while: (error) =>
      ["OwnershipLost", "JobExecutionAlreadyRunning"].includes((error as { readonly _tag: string })._tag)
        ? may
        : Effect.succeed(false),
    schedule: Schedule.spaced(200)
  })

/** Tries once or twice more what asks for a lease that is kept. */
export const onceCalm = <A, E, R>(test: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.unsandbox(Effect.retry(Effect.sandbox(test), { times: 2 }))
