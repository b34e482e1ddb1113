/** What machines are told of an execution, and how the parameters of a job are typed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { JobParameters, JobRepository } from "../../src/index.js"
import { dataJson, executionJson, load, skippedJson, stepJson } from "../../src/view/data.js"
import { type Input, inputs } from "../../src/view/inputs.js"
import { at, execution, step } from "./support.js"

describe("an execution for machines", () => {
  it("holds no secret, no context and no checkpoint", () => {
    const parameters = [
      { name: "file", value: "a.csv", identifying: true },
      { name: "key", value: "hunter2", identifying: false, redacted: true }
    ]
    const json = executionJson(execution(5, { parameters }))
    assert.deepStrictEqual(json.parameters.map(({ name, value }) => [name, value]), [["file", "a.csv"], [
      "key",
      "<redacted>"
    ]])
    assert.deepInclude(json, { id: 5, jobName: "load", instanceId: 1, status: "COMPLETED" })
    for (const name of ["context", "instance"]) assert.notProperty(json, name)
    const row = stepJson(step("a", { read: 3 }, { checkpoint: Option.some({ at: 3 }) }))
    assert.strictEqual(row.counts.read, 3)
    for (const name of ["context", "checkpoint"]) assert.notProperty(row, name)
    const skipped = { stepName: "a", phase: "read", errorTag: "Bad", message: "no", createTime: at(0) } as const
    assert.deepStrictEqual(skippedJson({ ...skipped, position: Option.some(3), item: Option.none() }), {
      ...skipped,
      position: 3,
      item: null
    })
  })

  it.effect("is shown with its steps, its parts, those before it, and the last one that completed", () =>
    Effect.gen(function*() {
      const asked: Array<unknown> = []
      const rows = [execution(3, { status: "FAILED" }), execution(5), execution(4), execution(7)]
      const repository = {
        jobExecution: () => Effect.succeed(rows[1]!),
        jobExecutions: (filter: { readonly instanceId?: number; readonly parentId?: number }) => {
          asked.push(filter)
          return Effect.succeed(
            filter.instanceId !== undefined
              ? [rows[1]!, rows[0]!]
              : filter.parentId !== undefined
              ? [rows[3]!]
              : [rows[2]!]
          )
        },
        stepExecutionsOf: (ids: ReadonlyArray<number>) =>
          Effect.succeed(ids.map((jobExecutionId) => step(`of ${jobExecutionId}`, {}, { jobExecutionId }))),
        skippedGroups: () => Effect.succeed([])
      } as unknown as JobRepository.JobRepository["Type"]
      const data = yield* Effect.provide(load(5), Layer.succeed(JobRepository.JobRepository, repository))
      assert.deepStrictEqual(asked, [
        { instanceId: 1, limit: 50 },
        { jobName: "load", statuses: ["COMPLETED"], before: 5, limit: 1 },
        { parentId: 5, limit: 500 }
      ])
      const names = (of: { readonly steps: ReadonlyArray<{ readonly stepName: string }> }) =>
        of.steps.map(({ stepName }) => stepName)
      assert.deepStrictEqual(data.chain.map(({ id }) => id), [3, 5])
      assert.deepStrictEqual([names(data), names(data.previous!), data.parts.map(names)], [["of 5"], ["of 4"], [[
        "of 7"
      ]]])
      const json = dataJson(data)
      assert.deepStrictEqual([
        json.id,
        json.previous?.id,
        json.parts.map(({ id }) => id),
        json.chain.map(({ id }) => id)
      ], [
        5,
        4,
        [7],
        [3, 5]
      ])
      assert.isNull(dataJson({ ...data, previous: undefined }).previous)
    }))
})

describe("the parameters of a job, as they are typed", () => {
  enum Level {
    Low,
    High = "high"
  }

  class Params extends JobParameters.Tag<Params>()("Params", {
    text: Schema.String.annotations({ description: "the words" }),
    plain: Schema.NonEmptyString,
    big: Schema.BigInt,
    yes: Schema.BooleanFromString,
    sure: Schema.transform(Schema.String, Schema.Boolean, {
      decode: (text) => text === "y",
      encode: (is) => is ? "y" : "n"
    }),
    flag: Schema.Boolean,
    level: Schema.Enums(Level),
    only: Schema.Literal("one"),
    from: Schema.optionalWith(Schema.Date, { default: () => new Date("2026-01-31T00:00:00.000Z") }),
    size: Schema.optionalWith(Schema.Int, { default: () => 100 }),
    tags: Schema.optionalWith(Schema.Array(Schema.String), { default: () => ["a"] }),
    maybe: Schema.optionalWith(Schema.String, { as: "Option" }),
    nothing: Schema.optional(Schema.Number),
    key: JobParameters.nonIdentifying(Schema.Redacted(Schema.String))
  }) {}

  it("have the kind, the help and the default of their Schema, and no secret has one", () => {
    const found = inputs(Params)
    const of = (f: (input: Input) => unknown) => Object.fromEntries(found.map((input) => [input.parameter, f(input)]))
    assert.deepStrictEqual(
      of(({ kind }) =>
        kind._tag === "Text"
          ? `text: ${kind.hint}`
          : kind._tag === "Choice"
          ? kind.choices.map(String).join()
          : kind._tag
      ),
      {
        text: "text: text",
        plain: "text: text",
        big: "text: integer",
        yes: "true,false",
        sure: "text: true|false",
        flag: "true,false",
        level: "0,high",
        only: "one",
        from: "text: date",
        size: "Number",
        tags: "Json",
        maybe: "text: text",
        nothing: "Number",
        key: "text: secret"
      }
    )
    assert.deepStrictEqual(
      found.filter(({ fallback }) => fallback !== undefined).map((input) => [input.parameter, input.fallback]),
      [
        ["from", "2026-01-31"],
        ["size", "100"]
      ]
    )
    assert.deepStrictEqual(found.filter(({ isRequired }) => !isRequired).map(({ parameter }) => parameter), [
      "from",
      "size",
      "tags",
      "maybe",
      "nothing"
    ])
    const help = of(({ description }) => description)
    assert.strictEqual(help["text"], "the words; identifies the job instance")
    assert.strictEqual(help["big"], "identifies the job instance")
    assert.strictEqual(help["key"], "does not identify the job instance; never shown")
  })
})
