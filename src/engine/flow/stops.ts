/**
 * The durable record of where a job has stopped by definition, kept in its own context: a stop state passes in later
 * executions because it has stopped the instance before, not because of what ran in front of it (FLOW-43).
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { UnreadableContextKey } from "../../vocabulary/BatchError.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"

/** Without a round it is the first one. */
export const Stop = Schema.Struct({
  stoppedAt: Schema.String,
  resumeAt: Schema.String,
  round: Schema.optionalWith(Schema.String, { exact: true })
})
export type Stop = typeof Stop.Type

/** Reserved in the context of every job. */
export const key: ExecutionContext.Key<ReadonlyArray<Stop>> = ExecutionContext.key("batch.stops", Schema.Array(Stop))

/** A place in a round; `path` is what 0.1 called the place. */
export interface Where {
  readonly place: string
  readonly path: string
  readonly round: string
}

export const isRecorded = (
  context: ExecutionContext.ExecutionContext,
  where: Where
): Either.Either<boolean, UnreadableContextKey> => Either.map(recorded(context), (stops) => stops.some(isAt(where)))

export const record = (
  context: ExecutionContext.ExecutionContext,
  where: Where,
  resumeAt: string
): Either.Either<ExecutionContext.ExecutionContext, UnreadableContextKey> =>
  Either.flatMap(recorded(context), (stops) =>
    ExecutionContext.set(context, key, [
      ...stops.filter((stop) => !isAt(where)(stop)),
      { stoppedAt: where.place, resumeAt, ...(where.round === "1" ? {} : { round: where.round }) }
    ]))

const isAt = ({ path, place, round }: Where) => (stop: Stop): boolean =>
  (stop.round ?? "1") === round && (stop.stoppedAt === place || stop.stoppedAt === path)

const recorded = (
  context: ExecutionContext.ExecutionContext
): Either.Either<ReadonlyArray<Stop>, UnreadableContextKey> =>
  Either.map(ExecutionContext.get(context, key), Option.getOrElse((): ReadonlyArray<Stop> => []))
