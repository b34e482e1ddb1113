/**
 * A batch program as its operators know it: jobs by name, stopped, inspected, restarted and cleaned up from a terminal.
 * README.md walks through it.
 *
 *   npx tsx examples/05-operate/main.ts --help
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Effect } from "effect"
import { Job, Step } from "effect-batch"
import { BatchCli } from "effect-batch/cli"
import * as Database from "../support/Database.js"
import { billing } from "./job.js"

const tidy = Job.make("tidy", { flow: Step.tasklet("remove-drafts", Effect.sleep("10 millis")) })

const url = process.env["DATABASE_URL"]

BatchCli.runMain(
  BatchCli.make({
    name: "shop-batch",
    version: "1.0.0",
    jobs: [billing, tidy],
    layer: Database.layer(
      url === undefined ? Database.Target.Sqlite({ file: "shop.db" }) : Database.Target.Postgres({ url })
    )
  }),
  NodeContext.layer
)
