/**
 * The flow examples as their users meet them: processes that go different ways, stop, and are restarted.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Examples from "./examples.js"

const TIMEOUT = 300_000

/** Runs the example once per line of arguments, in one directory; gives exit code and printed lines of each. */
const runs = (example: string, ...lines: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const cwd = yield* Examples.directory
    const program = yield* Examples.compiled(`${example}/main.ts`)
    return yield* Effect.forEach(lines, (line) =>
      Effect.map(
        Examples.run({ program, args: line.split(" "), cwd }),
        ({ exit, stderr, stdout }) => ({ exit, stderr, lines: stdout.trimEnd().split("\n").map((text) => text.trim()) })
      ))
  })

describe("examples of flows", () => {
  it.scopedLive(
    "02-conditional-flow: clean, dirty and broken input each take their own route",
    () =>
      Effect.gen(function*() {
        const [clean, dirty, broken, refused] = yield* runs("02-conditional-flow", "clean", "dirty", "broken", "clean")
        assert.deepStrictEqual([clean!.exit, clean!.lines.at(-1)], [0, "COMPLETED, exit code COMPLETED"], clean!.stderr)
        assert.includeMembers(clean!.lines, ["archived", "class s0 COMPLETED"])
        assert.includeMembers(dirty!.lines, ["somebody will look at the skipped lines", "archived"])
        assert.isTrue(dirty!.lines.includes("COMPLETED, exit code COMPLETED"))
        assert.deepStrictEqual([broken!.exit, broken!.lines.at(-1)], [1, "FAILED, exit code EARLY TERMINATION"])
        assert.include(broken!.lines, "class s0 FAILED")
        assert.strictEqual(refused!.exit, 2)
        assert.include(refused!.stderr, "JobInstanceAlreadyComplete")
      }),
    TIMEOUT
  )

  it.scopedLive(
    "02-conditional-flow: a restart loads broken input after it was corrected",
    () =>
      Effect.gen(function*() {
        const [broken, mended] = yield* runs("02-conditional-flow", "broken", "broken --mended")
        assert.strictEqual(broken!.exit, 1)
        assert.deepStrictEqual(
          [mended!.exit, mended!.lines.at(-1)],
          [0, "COMPLETED, exit code COMPLETED"],
          mended!.stderr
        )
        assert.include(mended!.lines, "cora has 30 points")
      }),
    TIMEOUT
  )

  it.scopedLive(
    "03-split-and-decide: an ordinary day ends, the end of the month waits for approval",
    () =>
      Effect.gen(function*() {
        const [ordinary, monthEnd, approved] = yield* runs(
          "03-split-and-decide",
          "2026-01-30",
          "2026-01-31",
          "2026-01-31"
        )
        assert.strictEqual(ordinary!.lines.at(-1), "COMPLETED, exit code NOTHING TO SEND", ordinary!.stderr)
        assert.strictEqual(monthEnd!.lines.at(-1), "STOPPED, exit code TO BE APPROVED")
        assert.notInclude(monthEnd!.lines, "send")
        assert.strictEqual(approved!.lines.at(-1), "COMPLETED, exit code COMPLETED")
        assert.include(approved!.lines, "send")
        assert.notInclude(approved!.lines, "statements")
        assert.isTrue(approved!.lines.includes("load: skip, it ended before with COMPLETED"))
      }),
    TIMEOUT
  )

  it.scopedLive(
    "04-child-jobs: a restart of the parent goes on with the child that failed",
    () =>
      Effect.gen(function*() {
        const [failed, restarted] = yield* runs("04-child-jobs", "2026-01-31 --broken", "2026-01-31")
        assert.deepStrictEqual([failed!.exit, failed!.lines.at(-1)], [1, "nightly: FAILED"], failed!.stderr)
        assert.include(failed!.lines, "customers fetched")
        assert.deepStrictEqual([restarted!.exit, restarted!.lines.at(-1)], [0, "nightly: COMPLETED"], restarted!.stderr)
        assert.notInclude(restarted!.lines, "customers fetched")
        assert.includeMembers(restarted!.lines, ["orders fetched", "orders stored", "report printed"])
      }),
    TIMEOUT
  )
})
