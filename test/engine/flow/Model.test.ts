import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import { Job, JobOperator, JobRepository } from "../../../src/index.js"
import { makeReference } from "./reference.js"
import type { Tree } from "./tree.js"
import { arbitrary, scriptOf, toCode, toFlow, told } from "./tree.js"

/** `npm run flows` tries more, from the seed `EFFECT_BATCH_SEED` if there is one. */
const CASES = Number(process.env["EFFECT_BATCH_FLOWS"] ?? 700)
const SEED = process.env["EFFECT_BATCH_SEED"]
const EXECUTIONS = 4

/** The engine's executions of the flow, until it is complete, in the words of the reference. */
const runByEngine = (tree: Tree, seed: ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const script = scriptOf(seed)
    const asked = new Map<string, number>()
    const job = Job.make("model", {
      flow: toFlow(
        tree,
        told((name) => {
          const n = asked.get(name) ?? 0
          asked.set(name, n + 1)
          return script(name, n)
        })
      )
    })
    const ends: Array<unknown> = []
    let status = "FAILED"
    while (status !== "COMPLETED" && ends.length < EXECUTIONS) {
      const execution = yield* JobOperator.run(job, {})
      const steps = yield* JobOperator.steps(execution.id)
      status = execution.status
      ends.push({
        status,
        code: execution.exitStatus.code,
        steps: steps.map((step) => `${step.stepName} ${step.status} ${step.exitStatus.code}`)
      })
    }
    return ends
  }).pipe(Effect.provide(JobRepository.layerMemory))

const runByReference = (tree: Tree, seed: ReadonlyArray<number>) => {
  const run = makeReference(tree, scriptOf(seed))
  const ends: Array<ReturnType<typeof run>> = []
  while (ends.at(-1)?.status !== "COMPLETED" && ends.length < EXECUTIONS) {
    ends.push(run(ends.length))
  }
  return ends
}

/** Flows that can't work are refused by `Job.make` and are no cases, nor are those of a step or two. */
const isCase = (tree: Tree): boolean => {
  if (JSON.stringify(tree).split(`"_tag"`).length < 5) {
    return false
  }
  try {
    Job.make("model", { flow: toFlow(tree, told(() => "")) })
    return true
  } catch {
    return false
  }
}

describe("the engine and the reference interpreter", () => {
  it("agree on visited steps, statuses and exit codes, over restarts", { timeout: 300_000 + CASES * 100 }, () => {
    let cases = 0
    let restarts = 0
    return fc.assert(
      fc.asyncProperty(
        arbitrary.filter(isCase),
        fc.array(fc.nat(59), { minLength: 7, maxLength: 7 }),
        async (tree, seed) => {
          const expected = runByReference(tree, seed)
          cases++
          restarts += expected.length - 1
          assert.deepStrictEqual(await Effect.runPromise(runByEngine(tree, seed)), expected)
        }
      ),
      {
        numRuns: CASES,
        ...(SEED === undefined ? {} : { seed: Number(SEED) }),
        reporter: (details) => {
          if (details.failed) {
            const [tree, seed] = details.counterexample!
            throw new Error(
              `seed ${details.seed}: the engine and the reference differ on\n\n${toCode(tree)}\n\n` +
                `with the script ${JSON.stringify(seed)}`,
              { cause: details.errorInstance }
            )
          }
        }
      }
    ).then(() => {
      assert.isAtLeast(cases, CASES)
      assert.isAtLeast(restarts, CASES / 3)
    })
  })
})
