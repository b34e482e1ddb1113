/**
 * The parameters of the next instance of a job (NEXT-1, INC-1). Pure.
 */
import * as Either from "effect/Either"
import type * as Option from "effect/Option"
import { InvalidJobParameters } from "../vocabulary/BatchError.js"
import * as JobParameters from "../vocabulary/JobParameters.js"

/**
 * What the incrementer makes of the last parameters, with the overrides in their place. The result is checked as a
 * whole; parameters that the incrementer adds need not be declared. Without an incrementer there is no next instance.
 */
export const nextParameters = (
  declaration: JobParameters.Declaration<any, any>,
  incrementer: JobParameters.Incrementer<any> | undefined,
  previous: Option.Option<ReadonlyArray<JobParameters.JobParameter>>,
  overrides: { readonly [name: string]: unknown }
): Either.Either<ReadonlyArray<JobParameters.JobParameter>, InvalidJobParameters> =>
  Either.gen(function*() {
    const incremented = yield* incrementer?.(previous) ?? Either.left(noIncrementer)
    const parameters = JobParameters.merge(incremented, yield* JobParameters.encodeSome(declaration, overrides))
    yield* JobParameters.decode(declaration, parameters)
    return parameters
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const noIncrementer = new InvalidJobParameters({
  problems: [{
    parameter: "",
    message: "of the next instance cannot be computed without an incrementer: give one to Job.make or to runNext"
  }]
})
