/**
 * The typed parameters of a job.
 *
 * A job's parameters are declared once, as a class: the schema that checks and stores them, the service that a step
 * uses to get them (late binding), and the list of those that identify the job instance. Two launches with equal
 * identifying parameters are the same instance, so the second one *is* the restart of the first.
 *
 * @see JOB-1
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import * as Json_ from "../base/json.js"
import { InvalidJobParameters } from "./BatchError.js"
import * as JobKey from "./jobKey.js"
import * as Field from "./parameterFields.js"

/**
 * The fields a declaration may have: schemas and property signatures
 * (`Schema.optional`, `Schema.optionalWith`) that need no services and keep
 * their name. Values must encode to JSON.
 *
 * @since 0.1.0
 * @category models
 */
export type Fields = {
  readonly [name: string]:
    | Schema.Schema.AnyNoContext
    | Schema.PropertySignature<
      Schema.PropertySignature.Token,
      any,
      never,
      Schema.PropertySignature.Token,
      any,
      boolean,
      never
    >
}

/**
 * What this module needs to know about declared parameters: every `Tag` class is
 * one. `A` is what steps get, `Given` what a launch has to give: without the
 * parameters that the schema fills in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Declaration<in out A, in out Given = A> {
  readonly _Given?: Types.Invariant<Given> | undefined
  readonly schema: Schema.Schema<A, any>
  readonly fields: Schema.Struct.Fields
  /** Names of the parameters that identify the job instance. */
  readonly identifying: ReadonlyArray<string>
  /** Names of the parameters whose schema contains `Schema.Redacted` or a `Sensitive` part. */
  readonly redacted: ReadonlyArray<string>
}

/**
 * What a launch gives: the parameters as steps get them, of which those may be left out that the schema does not ask for.
 *
 * @since 0.1.0
 * @category models
 */
export type Given<F extends Fields> = Types.Simplify<
  & { readonly [K in Exclude<keyof F, Omissible<F>>]: Schema.Schema.Type<F[K]> }
  & { readonly [K in Omissible<F>]?: Schema.Schema.Type<F[K]> | undefined }
>

/**
 * The names of the parameters that a launch may leave out.
 *
 * @since 0.1.0
 * @category models
 */
export type Omissible<F extends Fields> = {
  [K in keyof F]: F[K] extends Schema.PropertySignature<any, any, any, "?:", any, any, any> ? K : never
}[keyof F]

/**
 * Fields of which each encodes to JSON; one that does not becomes a sentence that says so.
 *
 * @since 0.1.0
 * @category models
 */
export type Storable<F extends Fields> = {
  readonly [K in keyof F]: IsJson<Schema.Schema.Encoded<F[K]>> extends true ? F[K]
    : `the parameter ${
      & K
      & string} does not encode to JSON, so it cannot be stored: use a schema that does, such as Schema.Date instead of Schema.DateFromSelf`
}

/**
 * The class that `Tag` makes: a service tag for the decoded parameters, with
 * their declaration.
 *
 * @since 0.1.0
 * @category models
 */
export interface TagClass<Self, Key extends string, F extends Fields>
  extends Context.TagClass<Self, Key, Schema.Struct.Type<F>>
{
  readonly _Given?: Types.Invariant<Given<F>> | undefined
  readonly schema: Schema.Struct<F>
  readonly fields: F
  readonly identifying: ReadonlyArray<string>
  readonly redacted: ReadonlyArray<string>
}

/**
 * One parameter as it is stored: its name, its encoded value and whether it identifies the job instance. `redacted`
 * marks a value that must not be shown.
 *
 * @see PARAM-1
 * @since 0.1.0
 * @category models
 */
export interface JobParameter {
  readonly name: string
  readonly value: Json_.Json
  readonly identifying: boolean
  readonly redacted?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category schemas
 */
export const JobParameter: Schema.Schema<JobParameter> = Schema.Struct({
  name: Schema.String,
  value: Json_.Json,
  identifying: Schema.Boolean,
  redacted: Schema.optional(Schema.Boolean)
})

/**
 * Computes the parameters of the next instance from those of the last one, if there was one. It fits jobs whose
 * parameters include `P`; without `P`, every job.
 *
 * @see INC-1
 * @since 0.1.0
 * @category models
 */
export interface Incrementer<in P = unknown> {
  (
    previous: Option.Option<ReadonlyArray<JobParameter>>
  ): Either.Either<ReadonlyArray<JobParameter>, InvalidJobParameters>
  readonly _P?: Types.Contravariant<P> | undefined
}

/**
 * Declares the parameters of a job. All of them identify the job instance unless
 * marked `nonIdentifying`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { JobParameters } from "effect-batch"
 *
 * class ImportParams extends JobParameters.Tag<ImportParams>()("ImportParams", {
 *   file: Schema.String,
 *   businessDate: Schema.DateFromString,
 *   verbose: JobParameters.nonIdentifying(Schema.Boolean)
 * }) {}
 *
 * const report = Effect.map(ImportParams, ({ businessDate, file }) => `${file} of ${businessDate.getFullYear()}`)
 *
 * assert.deepStrictEqual(ImportParams.identifying, ["file", "businessDate"])
 * assert.strictEqual(
 *   Effect.runSync(Effect.provideService(report, ImportParams, {
 *     file: "payments.csv",
 *     businessDate: new Date("2026-06-30"),
 *     verbose: false
 *   })),
 *   "payments.csv of 2026"
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const Tag = <Self>() =>
<const Key extends string, F extends Fields>(
  key: Key,
  fields: F & Storable<F>
): TagClass<Self, Key, F> => {
  const declared: F = fields
  const names = Object.keys(declared)
  return Object.assign(Context.Tag(key)<Self, Schema.Struct.Type<F>>(), {
    schema: Schema.Struct(declared),
    fields: declared,
    identifying: names.filter((name) => Field.isIdentifying(declared[name]!)),
    redacted: names.filter((name) => Field.isRedacted(declared[name]!))
  })
}

/**
 * The declaration of a job without parameters.
 *
 * @since 0.1.0
 * @category constructors
 */
export const none: Declaration<{}> = { schema: Schema.Struct({}), fields: {}, identifying: [], redacted: [] }

/**
 * Marks a parameter that does not identify the job instance: runs that differ only in it are runs of the same instance.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { JobParameters } from "effect-batch"
 *
 * class Params extends JobParameters.Tag<Params>()("Params", {
 *   file: Schema.String,
 *   batchSize: JobParameters.nonIdentifying(Schema.optionalWith(Schema.Number, { default: () => 1000 }))
 * }) {}
 *
 * assert.deepStrictEqual(Params.identifying, ["file"])
 * ```
 *
 * @see JOB-3, JOB-7
 * @since 0.1.0
 * @category combinators
 */
export const nonIdentifying: <S extends Fields[string]>(self: S) => S = Field.nonIdentifying

/**
 * Checks decoded parameters and turns them into the form that is stored. All problems are reported at once; a parameter
 * that is not declared is one of them.
 *
 * @example
 * ```ts
 * import { Either, Schema } from "effect"
 * import { JobParameters } from "effect-batch"
 *
 * class Params extends JobParameters.Tag<Params>()("Params", { day: Schema.Date }) {}
 *
 * assert.deepStrictEqual(
 *   JobParameters.encode(Params, { day: new Date(0) }),
 *   Either.right([{ name: "day", value: "1970-01-01T00:00:00.000Z", identifying: true }])
 * )
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const encode = <A>(
  declaration: Declaration<A, any>,
  value: A
): Either.Either<ReadonlyArray<JobParameter>, InvalidJobParameters> =>
  Either.map(Field.strictly(declaration, value, Field.encode), (encoded) => asStored(declaration, encoded))

/**
 * As `encode`, for what a launch gives: the schema fills in what was left out, so that an instance is the same whether a
 * default was given or not.
 *
 * @internal
 */
export const encodeGiven = (
  declaration: Declaration<any, any>,
  given: { readonly [name: string]: unknown }
): Either.Either<ReadonlyArray<JobParameter>, InvalidJobParameters> =>
  Either.map(
    Field.strictly(declaration, given, (name, field, input) =>
      given[name] === undefined
        ? Either.flatMap(Field.decode(name, field, {}), (filled) => Field.encode(name, field, filled))
        : Field.encode(name, field, input)),
    (encoded) => asStored(declaration, encoded)
  )

/**
 * As `encode`, but for some of the parameters.
 *
 * @internal
 */
export const encodeSome = <A>(
  declaration: Declaration<A, any>,
  some: { readonly [name: string]: unknown }
): Either.Either<ReadonlyArray<JobParameter>, InvalidJobParameters> =>
  Either.map(
    Field.strictly(declaration, some, (name, field, input) =>
      some[name] === undefined ? Either.right({}) : Field.encode(name, field, input)),
    (encoded) =>
      asStored(declaration, encoded)
  )

/**
 * Reads stored parameters back. Parameters that the declaration does not know,
 * such as the `run.id` of an incrementer, are passed over: they were accepted
 * when they were stored.
 *
 * @since 0.1.0
 * @category utils
 */
export const decode = <A>(
  declaration: Declaration<A, any>,
  parameters: ReadonlyArray<JobParameter>
): Either.Either<A, InvalidJobParameters> =>
  decodeUnknown(
    declaration,
    Object.fromEntries(
      parameters.flatMap(({ name, value }) => Object.hasOwn(declaration.fields, name) ? [[name, value]] : [])
    )
  )

/**
 * Reads parameters from a record of encoded values, as a command line or an HTTP request has them. All problems are
 * reported at once; a parameter that is not declared is one of them.
 *
 * @since 0.1.0
 * @category utils
 */
export const decodeUnknown = <A>(
  declaration: Declaration<A, any>,
  input: unknown
): Either.Either<A, InvalidJobParameters> =>
  // every field has been decoded by its own schema, which together are the declaration's
  Either.map(Field.strictly(declaration, input, Field.decode), (decoded) => decoded as A)

/**
 * The parameters of both; where both have one of a name, that of `that`, in the place of the first.
 *
 * @see PARAM-3, PARAM-6
 * @since 0.1.0
 * @category combinators
 */
export const merge = (
  self: ReadonlyArray<JobParameter>,
  that: ReadonlyArray<JobParameter>
): ReadonlyArray<JobParameter> =>
  Array.from(new Map([...self, ...that].map((parameter) => [parameter.name, parameter])).values())

/**
 * The key that, with the job's name, identifies the job instance: a SHA-256 of the identifying parameters that depends
 * neither on their order nor on the others, but on their types.
 *
 * @see JOB-1 to JOB-4
 * @since 0.1.0
 * @category utils
 */
export const jobKey: (parameters: ReadonlyArray<JobParameter>) => string = JobKey.jobKey

/**
 * The parameters on one line, for people. Secret values are not shown.
 *
 * @example
 * ```ts
 * import { JobParameters } from "effect-batch"
 *
 * assert.strictEqual(
 *   JobParameters.format([
 *     { name: "file", value: "payments.csv", identifying: true },
 *     { name: "token", value: "s3cret", identifying: false, redacted: true }
 *   ]),
 *   "file=payments.csv token=<redacted>"
 * )
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const format = (parameters: ReadonlyArray<JobParameter>): string =>
  parameters.map(({ name, redacted, value }) => `${name}=${redacted === true ? "<redacted>" : show(value)}`).join(" ")

/**
 * The incrementer that counts up an integer parameter of the given name: absent, it becomes an identifying 1; present,
 * it goes up by one and keeps its flag. All other parameters are kept. Fails when the previous value is not an integer.
 *
 * @see INC-2
 * @since 0.1.0
 * @category constructors
 */
export const counter = (name: string): Incrementer => (previous) => {
  const parameters = Option.getOrElse(previous, (): ReadonlyArray<JobParameter> => [])
  const last = parameters.find((parameter) => parameter.name === name)
  if (last === undefined) {
    return Either.right([...parameters, { name, value: 1, identifying: true }])
  }
  return typeof last.value === "number" && Number.isSafeInteger(last.value + 1)
    ? Either.right(merge(parameters, [{ ...last, value: last.value + 1 }]))
    : Either.left(
      new InvalidJobParameters({
        problems: [{ parameter: name, message: "is not an integer, so there is no next one" }]
      })
    )
}

/**
 * The incrementer of the parameter `run.id`.
 *
 * @example
 * ```ts
 * import { Either, Option } from "effect"
 * import { JobParameters } from "effect-batch"
 *
 * assert.deepStrictEqual(
 *   JobParameters.runId(Option.none()),
 *   Either.right([{ name: "run.id", value: 1, identifying: true }])
 * )
 * ```
 *
 * @see INC-2
 * @since 0.1.0
 * @category constructors
 */
export const runId: Incrementer = counter("run.id")

/**
 * The incrementer that computes the next parameters from the last ones as the job knows them. It returns those that
 * change; all others are kept. Fails when the stored parameters no longer fit the declaration.
 *
 * @example
 * ```ts
 * import { Either, Option, Schema } from "effect"
 * import { JobParameters } from "effect-batch"
 *
 * class Params extends JobParameters.Tag<Params>()("Params", { year: Schema.Int, region: Schema.String }) {}
 *
 * const nextYear = JobParameters.incrementer(Params, Option.match({
 *   onNone: () => ({ year: 2026 }),
 *   onSome: ({ year }) => ({ year: year + 1 })
 * }))
 *
 * const last = JobParameters.encode(Params, { year: 2030, region: "north" })
 * const next = Either.flatMap(last, (last) => nextYear(Option.some(last)))
 * assert.deepStrictEqual(Either.map(next, JobParameters.format), Either.right("year=2031 region=north"))
 * ```
 *
 * @see INC-1
 * @since 0.1.0
 * @category constructors
 */
export const incrementer = <P, Given>(
  declaration: Declaration<P, Given>,
  next: (previous: Option.Option<P>) => Partial<Types.NoInfer<P>>
): Incrementer<Given> =>
(previous) =>
  Either.gen(function*() {
    const stored = Option.getOrElse(previous, (): ReadonlyArray<JobParameter> => [])
    const last = Option.isSome(previous) ? Option.some(yield* decode(declaration, stored)) : Option.none()
    return merge(stored, yield* encodeSome(declaration, next(last)))
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const asStored = (
  declaration: Pick<Declaration<any, any>, "identifying" | "redacted">,
  encoded: { readonly [name: string]: unknown }
): ReadonlyArray<JobParameter> =>
  Object.entries(encoded).map(([name, json]): JobParameter => ({
    name,
    value: json as Json_.Json,
    identifying: declaration.identifying.includes(name),
    ...(declaration.redacted.includes(name) ? { redacted: true } : {})
  }))

/**
 * Whether a type is certainly not JSON is what counts: of `unknown` nobody can tell, and types that hold themselves are
 * looked at a few levels deep.
 */
type IsJson<T, Levels extends ReadonlyArray<unknown> = [1, 1, 1, 1]> = unknown extends T ? true
  : [T] extends [Plain] ? true
  : Extract<T, NotJson> extends never
    ? Levels extends [unknown, ...infer Rest]
      ? false extends
        (T extends Plain ? true : T extends ReadonlyArray<infer U> ? IsJson<U, Rest> : IsJson<T[keyof T], Rest>) ? false
      : true
    : true
  : false

type Plain = string | number | boolean | null | undefined

type NotJson =
  | bigint
  | symbol
  | Date
  | RegExp
  | ReadonlyMap<any, any>
  | ReadonlySet<any>
  | ArrayBufferView
  | ((...args: ReadonlyArray<never>) => unknown)

/** A date as people type it: without the midnight and the milliseconds that it does not have. */
const show = (value: Json_.Json): string =>
  typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/.test(value)
    ? value.replace(/T00:00:00\.000Z$|\.000(?=Z$)/, "")
    : typeof value === "string" && /^[^\s"'=]+$/.test(value)
    ? value
    : Json_.canonical(value)
