/**
 * Runs a flow in a hostile world to its end, and finds what is wrong with what it left behind.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { definitionOf } from "../../../src/definition/tree.js"
import { JobOperator, type JobRepository } from "../../../src/index.js"
import * as Life from "../../../src/testing/crash/life.js"
import * as Store from "../../../src/testing/crash/store.js"
import type { Rows } from "./audit.js"
import { audit } from "./audit.js"
import type { Action, Hostile } from "./hostile.js"
import { makeWorld, worksOf } from "./hostile.js"
import { toCode } from "./tree.js"

/** What was tried, for the report of the long run. */
export const tried = { executions: 0, kills: 0, faults: new Map<Action, number>() }

const rowsOf = (repository: Context.Tag.Service<JobRepository.JobRepository>) =>
  Effect.gen(function*() {
    const executions = (yield* repository.jobExecutions({ limit: 1_000 }))
      .filter(({ instance }) => instance.jobName === "hostile").reverse()
    const instance = executions[0]!.instance
    const steps = (yield* Effect.forEach(executions, ({ id }) => repository.stepExecutions(id))).flat()
    const { answers } = yield* repository.flowHistory(instance)
    const stops = (executions.at(-1)!.context.entries["batch.stops"] ?? []) as unknown as Rows["stops"]
    return { executions, rows: { steps, answers, stops } }
  })

/** Ten seconds of a process that gets to run: on a busy machine, which hangs by itself, they are longer. */
const patience = Effect.repeatN(Effect.sleep("10 millis"), 1_000)

/** Runs the job until it is complete, or until it is clear that it never will be, and finds what is wrong with that. */
export const check = (plan: Hostile): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const { calls, done, fired, job } = makeWorld(plan)
    const store = yield* Store.make({})
    const { graph } = definitionOf(job)
    const bound = plan.faults.length + plan.kills.length + 14
    const ends: Array<string> = []
    const wrong = (what: string) => Effect.fail(`${what}\nexecutions: ${ends.join("; ")}\ncalls: ${calls.join(", ")}`)
    let complete = false
    // So often in a row only a flow fails that always does.
    const isStuck = () => ends.length > 8 && ends.slice(-8).every((end) => end.startsWith("FAILED"))
    for (let run = 0; run < bound && !complete && !isStuck(); run++) {
      calls.push(`-- execution ${run + 1}`)
      const life = yield* Effect.raceFirst(
        Life.live(store, { _tag: "Kill", at: plan.kills[run] ?? Infinity }, JobOperator.run(job, {})),
        Effect.zipRight(patience, Effect.suspend(() => wrong(`execution ${run + 1} hangs`)))
      )
      tried.executions++
      if (life._tag === "Killed") {
        tried.kills++
        ends.push(`killed at ${life.points.at(-1)}`)
        continue
      }
      if (Exit.isFailure(life.exit)) {
        if (
          String(life.exit.cause).includes("JobInstanceAlreadyComplete") && ends.at(-1)?.startsWith("killed") === true
        ) {
          complete = true
          break
        }
        return yield* wrong(`execution ${run + 1} was refused: ${life.exit.cause}`)
      }
      const { exitStatus, status } = life.exit.value
      ends.push([`${status} ${exitStatus.code}`, ...exitStatus.messages].join(", "))
      complete = status === "COMPLETED"
    }
    fired.forEach((count, action) => tried.faults.set(action, (tried.faults.get(action) ?? 0) + count))
    const { executions, rows } = yield* rowsOf(store.repository)
    const found = audit(graph, rows)
    if (complete !== (found.status === "COMPLETED")) {
      return yield* wrong(`the job is ${executions.at(-1)!.status}, and its rows say ${found.status} ${found.code}`)
    }
    if (!complete && !found.isRefused) {
      return yield* wrong(`the job never ends: its rows say ${found.status}`)
    }
    const last = executions.at(-1)!.exitStatus.code
    if (complete && last !== "NOOP" && last !== found.code) {
      return yield* wrong(`the job says ${last}, and its rows ${found.code}`)
    }
    const always = new Set(
      rows.steps.filter(({ stepName }) => JSON.stringify(plan.tree).includes(`"name":"${stepName}","always":true`))
        .map(({ place }) => place)
    )
    const flowSteps = new Set(JSON.stringify(plan.tree).match(/(?<="flowStep","name":")[^"]+/g))
    for (const { name, place, round } of found.completed) {
      const works = flowSteps.has(name) ? [] : worksOf(plan.kinds, name)
      for (const work of works) {
        if (!done.includes(`${place} ${round} ${work}`)) {
          return yield* wrong(`"${work}" of "${place}" was left out in round ${round}, and the step is COMPLETED`)
        }
      }
    }
    const twice = done.find((each, index) => !always.has(each.split(" ")[0]!) && done.indexOf(each) !== index)
    if (twice !== undefined) {
      return yield* wrong(`"${twice}" was done twice`)
    }
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None)) as Effect.Effect<void, unknown>

/** Flows that can't work are refused by `Job.make` and are no cases. */
export const isCase = (plan: Hostile): boolean => {
  try {
    makeWorld(plan)
    return true
  } catch {
    return false
  }
}

export const toReport = ({ faults, kills, kinds, script, tree }: Hostile): string =>
  [
    toCode(tree),
    ...faults.map(([at, action]) => `call ${at}: ${action}`),
    ...kills.map((point, run) => `execution ${run + 1} dies at point ${point}`),
    `kinds ${JSON.stringify(kinds)}, script ${JSON.stringify(script)}`
  ].join("\n")
