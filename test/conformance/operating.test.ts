/**
 * Rules about the tables and the command line that no other test is named after.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Terminal from "@effect/platform/Terminal"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BatchCli } from "../../src/cli/index.js"
import { Job, JobOperator, JobRepository, Step, Transactor } from "../../src/index.js"
import { Migrations } from "../../src/sql/index.js"

describe("rules about the tables of PostgreSQL", () => {
  const statements = Migrations.statements("pg")
  const tables = statements.filter((statement) => statement.startsWith("create table \"batch_")).slice(1)

  it("ids are identity columns (REPO-1)", () => {
    // A plan of partitions has the id of the step execution that made it.
    const withId = tables.filter((table) => /^\s+id /m.test(table) && !table.includes("\"batch_partition_plan\" ("))
    assert.isNotEmpty(withId)
    withId.forEach((table) => assert.match(table, /^\s+id bigint .*identity/m))
  })

  it("every reference to another table has an index or a key that begins with it (REPO-2)", () => {
    const references = tables.flatMap((table) => {
      const name = /^create table ("[^"]+")/.exec(table)![1]!
      return [...table.matchAll(/^\s+(\w+) .*references /gm)].map(([, column]) => ({ table, name, column: column! }))
    })
    assert.isAtLeast(references.length, 4)
    for (const { column, name, table } of references) {
      const indexed = statements.some((statement) =>
        statement.startsWith("create") && statement.includes(`on ${name} (${column}`)
      )
      assert.isTrue(indexed || table.includes(`primary key (${column}`), `${name}.${column}`)
    }
  })

  it("times have a time zone (REPO-3)", () => {
    const times = tables.flatMap((table) =>
      [...table.matchAll(/^\s+\w+_(?:time|updated|until) (\w+)/gm)].map(([, type]) => type)
    )
    assert.isAtLeast(times.length, 8)
    assert.deepStrictEqual([...new Set(times)], ["timestamptz"])
  })
})

const silentTerminal = Layer.effect(
  Terminal.Terminal,
  Effect.map(Terminal.Terminal, (terminal) => ({ ...terminal, display: () => Effect.void }))
).pipe(Layer.provide(NodeContext.layer))

describe("rules about the command line", () => {
  it.scoped("abandon and recover exit with 0 when they succeed, whatever the status of the job (CLI-4)", () =>
    Effect.gen(function*() {
      const services = yield* Layer.build(JobRepository.layerMemory)
      const shared = Layer.succeedContext(Context.pick(JobRepository.JobRepository, Transactor.Transactor)(services))
      const job = Job.make("cli-4", { flow: Step.tasklet("only", Effect.fail("no")) })
      const { id } = yield* Effect.provide(JobOperator.run(job, {}), shared)
      const cli = BatchCli.make({ name: "batch", version: "1.0.0", jobs: [job], layer: shared })
      const codeOf = (...args: ReadonlyArray<string>) =>
        Effect.exit(cli(["node", "batch", ...args])).pipe(
          Effect.map((exit) => BatchCli.exitCodeOf(exit)),
          Effect.provide([NodeContext.layer, silentTerminal])
        )
      assert.strictEqual(yield* codeOf("recover", String(id)), 0)
      assert.strictEqual(yield* codeOf("abandon", String(id)), 0)
    }))
})

describe("rules about tasklets", () => {
  it.effect("a tasklet that fails to delete a file fails its step (TASK-15)", () =>
    Effect.gen(function*() {
      const remove = Effect.fail({ _tag: "FileError" as const, message: "a.csv cannot be deleted" })
      const execution = yield* JobOperator.run(Job.make("task-15", { flow: Step.tasklet("clean", remove) }), {})
      const [step] = yield* JobOperator.steps(execution.id)
      assert.deepStrictEqual([step!.status, execution.status], ["FAILED", "FAILED"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
