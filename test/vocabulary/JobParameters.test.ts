import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { InvalidJobParameters } from "../../src/vocabulary/BatchError.js"
import * as JobParameters from "../../src/vocabulary/JobParameters.js"
import * as Sensitive from "../../src/vocabulary/Sensitive.js"

const { nonIdentifying } = JobParameters
const SECRET = "hunter2"

class ImportParams extends JobParameters.Tag<ImportParams>()("ImportParams", {
  file: Schema.String,
  date: Schema.DateFromString,
  copies: Schema.optionalWith(Schema.Int, { default: () => 1 }),
  label: Schema.optional(Schema.String),
  verbose: nonIdentifying(Schema.Boolean)
}) {}

class Secrets extends JobParameters.Tag<Secrets>()("Secrets", {
  pin: Schema.Redacted(Schema.String.pipe(Schema.minLength(100))),
  token: nonIdentifying(Schema.optional(Schema.Redacted(Schema.NumberFromString))),
  iban: Schema.optional(Sensitive.make(Schema.String.pipe(Schema.minLength(100))))
}) {}

const given = { file: "payments.csv", date: new Date("2026-01-31"), copies: 2, verbose: true }
const ParamsOf = ImportParams.schema.pipe(Schema.filter(({ date }) => !Number.isNaN(date.getTime())))

const problems = <A>(result: Either.Either<A, InvalidJobParameters>) =>
  Either.getOrThrow(Either.flip(result)).problems.map(({ message, parameter }) => `${parameter} ${message}`)

const stored = <A>(declaration: JobParameters.Declaration<A, any>, value: A) =>
  Either.getOrThrow(JobParameters.encode(declaration, value))

describe("JobParameters", () => {
  it.effect("a declaration is the service of its decoded values", () =>
    Effect.gen(function*() {
      const { copies, date, label, verbose } = yield* ImportParams
      assert.strictEqual(date.getFullYear() + copies, 2028)
      assert.isTrue(verbose)
      assert.isUndefined(label)
    }).pipe(Effect.provideService(ImportParams, given)))

  it("parameters identify unless marked (PARAM-1)", () => {
    assert.deepStrictEqual(ImportParams.identifying, ["file", "date", "copies", "label"])
    assert.deepStrictEqual(
      stored(ImportParams, given).map(({ identifying, name, value }) => [name, value, identifying]),
      [
        ["file", "payments.csv", true],
        ["date", "2026-01-31T00:00:00.000Z", true],
        ["copies", 2, true],
        ["verbose", true, false]
      ]
    )
  })

  it("the mark survives changes to the schema around it (PARAM-1)", () => {
    class Marked extends JobParameters.Tag<Marked>()("Marked", {
      a: nonIdentifying(Schema.String).pipe(Schema.minLength(1)),
      b: Schema.optional(nonIdentifying(Schema.String)),
      c: Schema.optionalWith(nonIdentifying(Schema.NumberFromString), { default: () => 1 }),
      d: nonIdentifying(Schema.optionalWith(Schema.Number, { as: "Option" })),
      e: Schema.NullOr(nonIdentifying(Schema.String)),
      f: nonIdentifying(Schema.propertySignature(Schema.String)),
      g: Schema.String
    }) {}
    assert.deepStrictEqual(Marked.identifying, ["g"])
  })

  it.prop("decode returns the parameters that were encoded", [ParamsOf], ([params]) => {
    const { label, ...rest } = params
    const expected = label === undefined ? rest : params
    assert.deepStrictEqual(JobParameters.decode(ImportParams, stored(ImportParams, params)), Either.right(expected))
  })

  it("stored parameters that are not declared are passed over", () => {
    const withRunId = Either.getOrThrow(JobParameters.runId(Option.some(stored(ImportParams, given))))
    assert.deepStrictEqual(JobParameters.decode(ImportParams, withRunId), Either.right(given))
  })

  it("all problems are reported at once (VALID-2, D13)", () => {
    const result = JobParameters.decodeUnknown(ImportParams, { fille: "x", date: "soon", copies: 1.5, verbose: "yes" })
    assert.deepStrictEqual(problems(result).map((line) => line.replace(/ Expected.*/, " Expected")), [
      `fille is not a parameter of this job (did you mean "file"?)`,
      "file is missing",
      "date is not a valid date: \"soon\"; write it like \"2026-06-30\"",
      "copies Expected",
      "verbose Expected"
    ])
  })

  it("a problem names the given value, and for an optional parameter only the expected type (VALID-2)", () => {
    class Params extends JobParameters.Tag<Params>()("Params", {
      delay: Schema.optional(Schema.Number),
      pages: Schema.optionalWith(Schema.Int, { default: () => 1 }),
      from: Schema.Date,
      to: Schema.optional(Schema.Date),
      secret: Schema.Redacted(Schema.Date)
    }) {}
    const input = { delay: "abc", pages: "1", from: "soon", to: "30\u001b[2J", secret: "s3cret" }
    assert.deepStrictEqual(problems(JobParameters.decodeUnknown(Params, input)), [
      "delay Expected number, actual \"abc\"",
      "pages Expected number, actual \"1\"",
      "from is not a valid date: \"soon\"; write it like \"2026-06-30\"",
      "to is not a valid date: \"30\\u001b[2J\"; write it like \"2026-06-30\"",
      "secret is not valid (the value is secret and not shown)"
    ])
  })

  it("encode checks decoded values (VALID-2, D13)", () => {
    const wrong = { ...given, copies: 0.5, date: new Date(NaN), extra: 1 }
    assert.deepStrictEqual(problems(JobParameters.encode(ImportParams, wrong)).map((line) => line.split(" ")[0]), [
      "extra",
      "date",
      "copies"
    ])
  })

  it("a value that is not an object is refused (VALID-5)", () => {
    for (const input of [null, undefined, "x", [1]]) {
      assert.deepStrictEqual(problems(JobParameters.decodeUnknown(ImportParams, input)), [" are not an object"])
    }
  })

  it("a launch may leave out what the schema fills in, and makes the same instance as one that gives it", () => {
    const least = { file: "payments.csv", date: new Date("2026-01-31"), verbose: true }
    const complete = JobParameters.encode(ImportParams, { ...least, copies: 1 })
    assert.deepStrictEqual(JobParameters.encodeGiven(ImportParams, least), complete)
    assert.deepStrictEqual(JobParameters.encodeGiven(ImportParams, { ...least, copies: 1 }), complete)
    assert.deepStrictEqual(JobParameters.encodeGiven(ImportParams, { ...least, copies: undefined }), complete)
    assert.deepStrictEqual(problems(JobParameters.encodeGiven(ImportParams, { date: least.date, verbos: true })), [
      "verbos is not a parameter of this job (did you mean \"verbose\"?)",
      "file is missing",
      "verbose is missing"
    ])
    assert.deepStrictEqual(problems(JobParameters.encodeGiven(ImportParams, { date: least.date })), [
      "file is missing",
      "verbose is missing"
    ])
  })

  it("values that JSON cannot hold are refused", () => {
    // @ts-expect-error: it does not compile either
    class Loose extends JobParameters.Tag<Loose>()("Loose", { n: Schema.Number, d: Schema.DateFromSelf }) {}
    assert.deepStrictEqual(problems(JobParameters.encode(Loose, { n: NaN, d: new Date(0) })), [
      "n JSON cannot hold the number NaN",
      "d JSON cannot hold a Date"
    ])
  })

  it("the compiler refuses fields that need services or rename themselves", () => {
    const needy = Schema.String as Schema.Schema<string, string, ImportParams>
    const renamed = Schema.propertySignature(Schema.String).pipe(Schema.fromKey("other"))
    const make = JobParameters.Tag<unknown>()
    assert.deepStrictEqual(make("Fine", { a: Schema.String }).identifying, ["a"])
    // @ts-expect-error a schema with requirements
    assert.deepStrictEqual(make("Needy", { a: needy }).identifying, ["a"])
    // @ts-expect-error another key on the encoded side
    assert.deepStrictEqual(make("Renamed", { a: renamed }).identifying, ["a"])
    // @ts-expect-error not the declared type
    assert.isTrue(Either.isLeft(JobParameters.encode(ImportParams, { ...given, file: 1 })))
  })

  it("a job without parameters accepts none", () => {
    assert.deepStrictEqual(JobParameters.encode(JobParameters.none, {}), Either.right([]))
    assert.deepStrictEqual(JobParameters.decode(JobParameters.none, stored(ImportParams, given)), Either.right({}))
    assert.deepStrictEqual(problems(JobParameters.decodeUnknown(JobParameters.none, { file: "x" })), [
      "file is not a parameter of this job"
    ])
  })

  it("secret values appear in no problem, message or line", () => {
    assert.deepStrictEqual(Secrets.redacted, ["pin", "token", "iban"])
    const value = { pin: Redacted.make(SECRET), token: Redacted.make(NaN), iban: SECRET }
    const results: ReadonlyArray<Either.Either<unknown, InvalidJobParameters>> = [
      JobParameters.encode(Secrets, value),
      JobParameters.decodeUnknown(Secrets, { pin: SECRET, token: SECRET, iban: SECRET }),
      JobParameters.decodeUnknown(Secrets, { pin: { deep: SECRET }, token: [SECRET], iban: [SECRET], hunter: SECRET })
    ]
    for (const result of results) {
      const error = Either.getOrThrow(Either.flip(result))
      assert.notInclude([error.message, String(error), JSON.stringify(error), problems(result).join()].join(), SECRET)
      assert.include(problems(result).join(), "pin is not valid")
    }
    const parameters = stored(Secrets, { pin: Redacted.make("x".repeat(100)), token: Redacted.make(7) })
    assert.strictEqual(JobParameters.format(parameters), "pin=<redacted> token=<redacted>")
    assert.deepStrictEqual(problems(JobParameters.decodeUnknown(Secrets, {})), ["pin is missing"])
  })

  it("a recursive schema is searched to the end", () => {
    interface Tree {
      readonly children: ReadonlyArray<Tree>
    }
    const Tree: Schema.Schema<Tree> = Schema.Struct({ children: Schema.Array(Schema.suspend(() => Tree)) })
    class Deep extends JobParameters.Tag<Deep>()("Deep", { tree: Schema.typeSchema(Tree) }) {}
    assert.deepStrictEqual(Deep.redacted, [])
  })

  it("a secret is found far behind a type that many of its own fields lead back to", () => {
    interface Wide {
      readonly [field: string]: Wide | object
    }
    const back = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`field${i}`, Schema.suspend(() => Wide)]))
    const far = Array.from({ length: 12 }).reduce<Schema.Schema<any>>(
      (inner) => Schema.Struct({ inner }),
      Schema.RedactedFromSelf(Schema.String)
    )
    const Wide: Schema.Schema<Wide> = Schema.Struct({ ...back, far }) as any
    class Holder extends JobParameters.Tag<Holder>()("Holder", { wide: Schema.Array(Wide as Schema.Schema<any>) }) {}
    assert.deepStrictEqual(Holder.redacted, ["wide"])
  })

  it("the key ignores what does not identify (JOB-1, JOB-3)", () => {
    const keyOf = (change: Partial<typeof given>) => JobParameters.jobKey(stored(ImportParams, { ...given, ...change }))
    assert.strictEqual(keyOf({ verbose: false }), keyOf({}))
    assert.notStrictEqual(keyOf({ file: "refunds.csv" }), keyOf({}))
  })

  it("format is one readable line", () => {
    const line = JobParameters.format([
      { name: "file", value: "payments.csv", identifying: true },
      { name: "title", value: "two\nlines", identifying: true },
      { name: "n", value: 1, identifying: true },
      { name: "text", value: "", identifying: false }
    ])
    assert.strictEqual(line, `file=payments.csv title="two\\nlines" n=1 text=""`)
    assert.strictEqual(JobParameters.format([]), "")
  })

  it("merge replaces by name (PARAM-3, PARAM-6)", () => {
    const [first, ...rest] = stored(ImportParams, given)
    const other = { name: "file", value: "other.csv", identifying: true }
    assert.deepStrictEqual(JobParameters.merge([first!, ...rest], [other]), [other, ...rest])
  })

  it("run.id starts at an identifying 1 (INC-2)", () => {
    assert.deepStrictEqual(
      JobParameters.runId(Option.none()),
      Either.right([{ name: "run.id", value: 1, identifying: true }])
    )
  })

  it.prop(
    "run.id goes up by one; flag and other parameters are kept (INC-1, INC-2)",
    [FastCheck.integer(), FastCheck.boolean()],
    ([value, identifying]) => {
      const others = stored(ImportParams, given)
      const next = JobParameters.runId(Option.some([{ name: "run.id", value, identifying }, ...others]))
      assert.deepStrictEqual(next, Either.right([{ name: "run.id", value: value + 1, identifying }, ...others]))
    }
  )

  it("a value that is not an integer is an error (INC-2)", () => {
    for (const value of ["1", 1.5, Number.MAX_SAFE_INTEGER, null]) {
      const result = JobParameters.runId(Option.some([{ name: "run.id", value, identifying: true }]))
      assert.deepStrictEqual(problems(result), ["run.id is not an integer, so there is no next one"])
    }
  })

  it("a counter may have another name (INC-1)", () => {
    const next = JobParameters.counter("sequence")(JobParameters.runId(Option.none()).pipe(Either.getRight))
    assert.deepStrictEqual(Either.map(next, JobParameters.format), Either.right("run.id=1 sequence=1"))
  })

  it("an incrementer over the declared parameters keeps the others, and refuses what does not fit (INC-1)", () => {
    class Params extends JobParameters.Tag<Params>()("Params", {
      day: Schema.DateFromString,
      region: JobParameters.nonIdentifying(Schema.String)
    }) {}
    const tomorrow = JobParameters.incrementer(
      Params,
      (previous) => Option.isNone(previous) ? {} : { day: new Date(previous.value.day.getTime() + 86_400_000) }
    )
    const last = [
      { name: "run.id", value: 3, identifying: true },
      ...stored(Params, { day: new Date("2026-02-28"), region: "north" })
    ]
    assert.deepStrictEqual(tomorrow(Option.none()), Either.right([]))
    assert.deepStrictEqual(
      tomorrow(Option.some(last)),
      Either.right([last[0]!, { ...last[1]!, value: "2026-03-01T00:00:00.000Z" }, last[2]!])
    )
    assert.deepStrictEqual(problems(tomorrow(Option.some(last.slice(0, 2)))), ["region is missing"])
    const invalid = JobParameters.incrementer(Params, () => ({ day: new Date(NaN), regoin: "south" } as object))
    assert.sameMembers([...problems(invalid(Option.none()))], [
      "regoin is not a parameter of this job (did you mean \"region\"?)",
      "day is not a valid date"
    ])
  })

  it.prop("stored parameters survive their schema", [Schema.Array(JobParameters.JobParameter)], ([parameters]) => {
    const schema = Schema.parseJson(Schema.Array(JobParameters.JobParameter))
    const text = Schema.encodeSync(schema)(parameters)
    assert.strictEqual(Schema.encodeSync(schema)(Schema.decodeSync(schema)(text)), text)
  })
})
