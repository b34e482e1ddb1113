/**
 * Rows that 0.1 wrote, when a job had failed in the middle: the tables are upgraded, and the restart goes on.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ExecutionContext, Flow, Job, JobOperator, JobParameters, JobScope, Step } from "../../src/index.js"
import * as Tables from "../../src/sql/schema.js"
import * as SqlJobRepository from "../../src/sql/SqlJobRepository.js"
import { ok } from "../engine/flow/kit.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

type AnyJob = Job.Job<{}, string, any, any>
/** `load COMPLETED`, in the order of the rows; each list is one execution of the job. */
type Written = ReadonlyArray<ReadonlyArray<string>>

/** The tables of 0.1 with one instance of the job, as that version left it. */
const writtenBy01 = (dialect: "pg" | "sqlite", jobName: string, context: string, executions: Written) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const names = Tables.names(dialect, "batch_")
    const now = dialect === "pg" ? "now()" : "1700000000000"
    const execute = (text: string) => sql.unsafe(text)
    yield* Effect.forEach([
      Tables.migrationsTable(names),
      ...Tables.migrations[0]!.statements(names),
      `insert into batch_migrations (id, name, applied_at) values (1, 'create_tables', ${now})`,
      `insert into batch_job_instance (job_name, job_key, create_time)
        values ('${jobName}', '${JobParameters.jobKey([])}', ${now})`
    ], execute)
    for (const [index, steps] of executions.entries()) {
      yield* execute(`insert into batch_job_execution (job_instance_id, status, exit_code, exit_message, create_time,
        start_time, end_time, last_updated, context, epoch, lease_millis, restart_of) values (1, 'FAILED', 'FAILED', '',
        ${now}, ${now}, ${now}, ${now}, '${context}', 1, 30000, ${index === 0 ? "null" : index})`)
      for (const step of steps) {
        const [name, status] = step.split(" ")
        yield* execute(`insert into batch_step_execution (job_execution_id, step_name, status, exit_code, exit_message,
          create_time, start_time, end_time, last_updated, context, epoch) values (${index + 1}, '${name}', '${status}',
          '${status === "ABANDONED" ? "FAILED" : status}', '', ${now}, ${now}, ${now}, ${now}, '{}', 1)`)
      }
    }
  })

const Page = ExecutionContext.key("page", Schema.Number)
const page = Effect.map(JobScope.get(Page), (found) => found._tag === "Some" ? found.value : 1)

/** load → post → more(YES → load, NO → END), over three pages. */
const pages = (log: Array<string>): AnyJob => {
  const work = (step: string) => Step.tasklet(step, Effect.map(page, (n) => void log.push(`${step} ${n}`)))
  const more = Flow.decide(
    "more",
    ["YES", "NO"],
    () => Effect.flatMap(page, (n) => Effect.as(JobScope.set(Page, n + 1), n < 3 ? "YES" as const : "NO" as const))
  )
  return Job.make("pages", {
    flow: Flow.graph("load", {
      load: { run: work("load"), on: { COMPLETED: "post" } },
      post: { run: work("post"), on: { COMPLETED: "more" } },
      more: { run: more, on: { YES: "load", NO: "END" } }
    })
  }) as AnyJob
}

const chain = (log: Array<string>): AnyJob =>
  Job.make("chain", {
    flow: Step.allowStartIfComplete(ok("always", log)).pipe(
      Flow.andThen(ok("b", log)),
      Flow.andThen(ok("c", log)),
      Flow.andThen(ok("d", log))
    )
  }) as AnyJob

const twice = (log: Array<string>): AnyJob => {
  const notify = ok("notify", log)
  return Job.make("twice", {
    flow: notify.pipe(Flow.andThen(ok("work", log)), Flow.andThen(notify))
  }) as AnyJob
}

const cases: ReadonlyArray<{
  readonly name: string
  readonly make: (log: Array<string>) => AnyJob
  readonly context?: string
  readonly executions: Written
  readonly expected: ReadonlyArray<string>
}> = [
  {
    name: "the first step of round 2 of a loop had failed",
    make: pages,
    context: `{"page":2}`,
    executions: [["load COMPLETED", "post COMPLETED", "load FAILED"]],
    expected: ["load 2", "post 2", "load 3", "post 3"]
  },
  {
    name: "the second step of round 2 of a loop had failed",
    make: pages,
    context: `{"page":2}`,
    executions: [["load COMPLETED", "post COMPLETED", "load COMPLETED", "post FAILED"]],
    expected: ["post 2", "load 3", "post 3"]
  },
  {
    name: "the loop had failed twice, in rounds 1 and 2",
    make: pages,
    context: `{"page":2}`,
    executions: [["load COMPLETED", "post FAILED"], ["post COMPLETED", "load FAILED"]],
    expected: ["load 2", "post 2", "load 3", "post 3"]
  },
  {
    name: "a step that always runs stood in front of completed ones",
    make: chain,
    executions: [["always COMPLETED", "b COMPLETED", "c FAILED"], ["always COMPLETED", "c COMPLETED", "d FAILED"]],
    expected: ["always", "d"]
  },
  {
    name: "one step value stood in two places, and failed between them",
    make: twice,
    executions: [["notify COMPLETED", "work FAILED"]],
    expected: ["work", "notify"]
  }
]

for (
  const { client, dialect, fresh } of [
    { dialect: "pg", fresh: Postgres.freshUrl, client: Postgres.layerUrl },
    { dialect: "sqlite", fresh: Sqlite.freshFile, client: Sqlite.layerFile }
  ] as const
) {
  describe(`rows of 0.1 (${dialect})`, () => {
    for (const { context, executions, expected, make, name } of cases) {
      it.scoped(`${name}: nothing is left out and nothing is done twice (OWN-5)`, () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = make(log)
          yield* writtenBy01(dialect, job.name, context ?? "{}", executions)
          const { id, status } = yield* Effect.provide(
            JobOperator.run(job, {}) as Effect.Effect<any, any, any>,
            SqlJobRepository.layer
          )
          assert.deepStrictEqual([status, log], ["COMPLETED", expected])
          assert.isAbove(id, 0)
        }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => client(database))))) as Effect.Effect<
          void,
          any,
          any
        >)
    }
  })
}
