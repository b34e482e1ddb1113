/**
 * Runs the football job and shows it: `npm start`, and `npm start -- --help`.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Cause, Console, Effect, Exit } from "effect"
import { JobOperator, JobParameters, Listener } from "effect-batch"
import { writeSync } from "node:fs"
import * as Database from "../support/Database.js"
import { explain, runMain } from "../support/Main.js"
import * as Progress from "../support/Progress.js"
import * as Terminal from "../support/Terminal.js"
import { footballJob, FootballParams } from "./job.js"
import * as Options from "./options.js"
import * as Tables from "./tables.js"

/** What `--crash-after` and `--pause` do after each chunk, when it is durable. */
const chaos = ({ crashAfter, pauseMillis }: Options.Options) => {
  let chunks = 0
  const crash = Effect.sync(() => {
    if (++chunks === crashAfter) {
      writeSync(2, `${Terminal.isTerminal ? "\n" : ""}kill -9 after ${Terminal.plural(chunks, "committed chunk")}\n`)
      process.kill(process.pid, "SIGKILL")
    }
  })
  return Listener.step({ afterChunk: () => Effect.zipRight(crash, Effect.sleep(pauseMillis)) })
}

const run = (options: Options.Options, parameters: typeof FootballParams.Service) =>
  Effect.gen(function*() {
    yield* Console.log(
      Terminal.bold(`football, season ${parameters.season}`) + Terminal.dim(` → ${Database.describe(options.target)}`)
    )
    if (options.createTables) {
      yield* Tables.create
    }
    const job = footballJob({ chunkSize: options.chunkSize, listener: chaos(options) })
    // Closing the scope, as a signal does, stops the job and waits until its rows say so.
    const running = Effect.scoped(Effect.flatMap(JobOperator.start(job, parameters), (started) => started.await))
    const [execution, story] = yield* Progress.watch(running)
    if (execution.status === "COMPLETED") {
      yield* lines(["", ...(yield* Tables.leagueTable(parameters.season, options.league))])
    }
    yield* lines(["", ...Progress.stepTable(story), ""])
    yield* Console.log(`Execution ${execution.id} is ${execution.status}.`)
    if (Exit.isFailure(execution.exit)) {
      yield* Console.error(Terminal.red(explain(Cause.squash(execution.exit.cause))))
    }
    return execution.status
  }).pipe(
    Effect.onInterrupt(() => Console.log("Stopped. The same command goes on from the last commit.")),
    Effect.provide(Database.layer(options.target))
  )

const lines = (texts: ReadonlyArray<string>) => Console.log(texts.join("\n"))

const program = Effect.gen(function*() {
  const options = yield* Options.parse(process.argv.slice(2), process.env)
  if (options.help) {
    yield* Console.log(Options.HELP)
    return "COMPLETED"
  }
  // Before anything is opened or created.
  const parameters = yield* JobParameters.decodeUnknown(FootballParams, options.parameters)
  return yield* run(options, parameters)
})

runMain(Effect.provide(program, NodeFileSystem.layer))
