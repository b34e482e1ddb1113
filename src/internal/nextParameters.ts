/**
 * The parameters of the next instance of a job (NEXT-1, INC-1). Pure.
 */
import * as Either from "effect/Either"
import type * as Option from "effect/Option"
import { InvalidJobParameters } from "../BatchError.js"
import * as JobParameters from "../JobParameters.js"
import * as Field from "./parameterFields.js"

/**
 * What the incrementer makes of the last parameters, with the overrides in their place. The result is checked as a
 * whole; parameters that the incrementer adds need not be declared.
 */
export const nextParameters = (
  declaration: JobParameters.Declaration<any>,
  incrementer: JobParameters.Incrementer,
  previous: Option.Option<ReadonlyArray<JobParameters.JobParameter>>,
  overrides: object
): Either.Either<ReadonlyArray<JobParameters.JobParameter>, InvalidJobParameters> =>
  Either.gen(function*() {
    const incremented = yield* incrementer(previous)
    const parameters = JobParameters.merge(incremented, yield* encodeSome(declaration, overrides))
    yield* JobParameters.decode(declaration, parameters)
    return parameters
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const encodeSome = (
  declaration: JobParameters.Declaration<any>,
  overrides: object
): Either.Either<ReadonlyArray<JobParameters.JobParameter>, InvalidJobParameters> => {
  const parameters: Array<JobParameters.JobParameter> = []
  const problems: Array<InvalidJobParameters["problems"][number]> = []
  for (const [name, value] of Object.entries(overrides)) {
    const field = Object.hasOwn(declaration.fields, name) ? declaration.fields[name] : undefined
    const coded = field === undefined
      ? Either.left("is not a parameter of this job")
      : value === undefined
      ? Either.right({})
      : Field.encode(name, field, overrides)
    Either.match(coded, {
      onLeft: (message) => problems.push({ parameter: name, message }),
      onRight: (record) =>
        Object.values(record).forEach((json) =>
          parameters.push({
            name,
            value: json as JobParameters.JobParameter["value"],
            identifying: declaration.identifying.includes(name),
            ...(declaration.redacted.includes(name) ? { redacted: true } : {})
          })
        )
    })
  }
  return problems.length === 0 ? Either.right(parameters) : Either.left(new InvalidJobParameters({ problems }))
}
