/**
 * The command that makes this process, or several forks of it, run partitions of jobs that other processes run.
 */
import * as Effect from "effect/Effect"
import { plural, quoted } from "../base/text.js"
import { steps } from "../definition/defects.js"
import type { Job } from "../definition/Job.js"
import { definitionOf } from "../definition/tree.js"
import * as PartitionWorker from "../worker/PartitionWorker.js"
import type { Command } from "./command.js"
import { command } from "./command.js"
import type { CliContext, Work } from "./context.js"
import { print } from "./context.js"
import { optional, positive, withDefault } from "./flag.js"
import { UsageError } from "./usageError.js"
import * as Processes from "./workerProcesses.js"

/** @internal */
export const worker = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["worker"],
      group: "Run",
      summary: "Run partitions of jobs that other processes run, until a signal; what it is at is then handed over",
      flags: {
        slots: withDefault(optional("slots", "number", "Partitions that run at once in a process", positive), 1),
        processes: withDefault(
          optional(
            "processes",
            "number",
            "Processes: copies of this one, started again when they are killed",
            positive
          ),
          1
        )
      },
      args: {}
    },
    ({ processes, slots }) => {
      const jobs = context.jobs.filter(isPartitioned)
      return jobs.length === 0 ? nothingToDo(context) : work(context, { jobs, processes, slots })
    }
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isPartitioned = (job: Job.Any): boolean =>
  steps(definitionOf(job).graph).some(({ body }) => body._tag === "Partition")

const nothingToDo = ({ name }: CliContext): Work =>
  Effect.fail(
    new UsageError({
      problem: "No job of this program has a partitioned step, so a worker would have nothing to do",
      usage: undefined,
      help: `${name} --help`
    })
  )

interface Settings {
  readonly jobs: ReadonlyArray<Job.Any>
  readonly processes: number
  readonly slots: number
}

/** A fork is told about by the process that has made it. */
const work = (context: CliContext, { jobs, processes, slots }: Settings): Work =>
  Effect.suspend(() => {
    const run = Effect.provide(PartitionWorker.run(jobs, { slots }), context.live) as Effect.Effect<never, unknown>
    if (Processes.isFork()) {
      const told = print(`Process ${process.pid} is at work, with ${plural(slots, "slot")}.`)
      return Processes.followParent.pipe(Effect.zipRight(told), Effect.zipRight(run))
    }
    const at = processes === 1 ? plural(slots, "slot") : `${processes} processes of ${plural(slots, "slot")} each`
    const told = `${context.name} works on ${quoted(jobs.map(({ name }) => name))} with ${at}. Ctrl-C ends that.`
    return Effect.zipRight(print(told), processes === 1 ? run : Processes.forks(processes))
  })
