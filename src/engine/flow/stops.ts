/**
 * The durable record of where a job has stopped by definition, kept in its own context: a stop state passes in later
 * executions because it has stopped the instance before, not because of what ran in front of it (FLOW-43).
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { UnreadableContextKey } from "../../vocabulary/BatchError.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"

export const Stop = Schema.Struct({ stoppedAt: Schema.String, resumeAt: Schema.String })
export type Stop = typeof Stop.Type

/** Reserved in the context of every job. */
export const key: ExecutionContext.Key<ReadonlyArray<Stop>> = ExecutionContext.key("batch.stops", Schema.Array(Stop))

export const isRecorded = (
  context: ExecutionContext.ExecutionContext,
  place: string
): Either.Either<boolean, UnreadableContextKey> =>
  Either.map(recorded(context), (stops) => stops.some(({ stoppedAt }) => stoppedAt === place))

export const record = (
  context: ExecutionContext.ExecutionContext,
  stop: Stop
): Either.Either<ExecutionContext.ExecutionContext, UnreadableContextKey> =>
  Either.flatMap(recorded(context), (stops) =>
    ExecutionContext.set(context, key, [
      ...stops.filter(({ stoppedAt }) => stoppedAt !== stop.stoppedAt),
      stop
    ]))

const recorded = (
  context: ExecutionContext.ExecutionContext
): Either.Either<ReadonlyArray<Stop>, UnreadableContextKey> =>
  Either.map(ExecutionContext.get(context, key), Option.getOrElse((): ReadonlyArray<Stop> => []))
