/**
 * A program that runs one partitioned job, whose plan is what it is told, and says how that ended: `URL RESTART PLAN NAMES`. The rows
 * tell of which plan they are. The plan `failing` fails when all of its partitions have completed.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ExitStatus, Job, JobOperator, Step } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"

const [url, restart, plan, names] = process.argv.slice(2) as [string, "keep" | "replan", string, string]

const job = Job.make("replanned", {
  flow: Step.partition("load", {
    plan: Effect.succeed(names.split(",").map((name) => ({ name, input: { plan, name } }))),
    input: Schema.Struct({ plan: Schema.String, name: Schema.String }),
    step: ({ name, plan }) =>
      Step.tasklet(
        "row",
        Effect.flatMap(SqlClient, (sql) =>
          Effect.asVoid(sql`insert into part_row (plan, part) values (${plan}, ${name})`))
      ),
    collect: () => plan === "failing" ? Effect.fail(new Error("it is to fail")) : Effect.void,
    restart,
    concurrency: 2,
    version: "1"
  })
})

const layer = Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url, { maxConnections: 3 }))

const { exitStatus, status } = await Effect.runPromise(Effect.provide(JobOperator.run(job, {}), layer))
process.stderr.write(ExitStatus.description(exitStatus))
process.exit(status === "COMPLETED" ? 0 : 1)
