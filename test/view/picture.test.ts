/** The picture of a flow: where its boxes stand, where its lines lead, and what is told of each step. */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { definitionOf } from "../../src/definition/tree.js"
import { Flow, Job, Step, type StepExecution as Public } from "../../src/index.js"
import { picture } from "../../src/view/picture.js"
import * as Counts from "../../src/vocabulary/Counts.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import * as StepExecution from "../../src/vocabulary/StepExecution.js"

interface Rect {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const numbers = (markup: string, pattern: RegExp): ReadonlyArray<ReadonlyArray<number>> =>
  [...markup.matchAll(pattern)].map(([, ...found]) => found.map(Number))

const N = "(-?[\\d.]+)"

const drawn = (job: Job.Job.Any, steps: ReadonlyArray<Public.StepExecution> = []) => {
  const { markup } = picture(definitionOf(job).graph, steps)
  const rects = numbers(markup, new RegExp(`x="${N}" y="${N}" width="${N}" height="${N}"`, "g"))
    .map(([x, y, width, height]): Rect => ({ x: x!, y: y!, width: width!, height: height! }))
  const [[width, height]] = numbers(markup, new RegExp(`viewBox="0 0 ${N} ${N}"`, "g")) as [[number, number]]
  return {
    markup,
    rects,
    width,
    height,
    forward: numbers(markup, new RegExp(`d="M${N} ${N} C${N} ${N} ${N} ${N} ${N} ${N}"`, "g")),
    back: numbers(markup, new RegExp(`d="M${N} ${N} H${N} V${N} H${N}"`, "g")),
    tips: numbers(markup, new RegExp(`d="M${N} ${N} l${N} ${N} L${N} ${N} z"`, "g")),
    titles: [...markup.matchAll(/<title>([^<]*)<\/title>/g)].map(([, title]) => title!)
  }
}

const isInside = (inner: Rect, outer: Rect): boolean =>
  inner.x >= outer.x && inner.y >= outer.y && inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height

const areApart = (one: Rect, other: Rect): boolean =>
  one.x + one.width < other.x || other.x + other.width < one.x || one.y + one.height < other.y ||
  other.y + other.height < one.y

let names = 0
const tasklet = () => Step.tasklet(`step ${names++}`, Effect.void)

type AnyFlow = Flow.Flow<string, never, never>

/** Flows of steps, sequences, splits, and flows inside of steps. */
const flows: FastCheck.Arbitrary<AnyFlow> = FastCheck.letrec<{ flow: AnyFlow }>((tie) => ({
  flow: FastCheck.oneof(
    { maxDepth: 3, withCrossShrink: true },
    FastCheck.constant(undefined).map(() => tasklet() as unknown as AnyFlow),
    FastCheck.tuple(tie("flow"), tie("flow")).map(([one, other]) => Flow.andThen(one, other) as unknown as AnyFlow),
    FastCheck.array(tie("flow"), { minLength: 2, maxLength: 3 }).map((branches) =>
      Flow.split(branches as never) as unknown as AnyFlow
    ),
    tie("flow").map((flow) => Step.flow(`flow ${names++}`, flow) as unknown as AnyFlow)
  )
})).flow

const loop = Job.make("loop", {
  flow: Flow.graph("load", {
    load: { run: Step.tasklet("load", Effect.void), on: { COMPLETED: "enough", FAILED: "hold" } },
    enough: {
      run: Flow.decide("enough", ["YES", "NO"], () => Effect.succeed("YES" as const)),
      on: { YES: "END", NO: "load" }
    },
    hold: { run: Step.tasklet("hold", Effect.void), on: { COMPLETED: "END", FAILED: "load" } }
  })
})

describe("the picture of a flow", () => {
  it.prop("keeps its boxes apart, or one around the other, and inside of its frame", [flows], ([flow]) => {
    const { back, height, rects, width } = drawn(Job.make("any", { flow: flow as never }))
    const frame = { x: 14, y: 14, width: width - 28, height: height - 28 }
    assert.isAbove(rects.length, 0)
    rects.forEach((rect, index) => {
      assert.isTrue(isInside(rect, frame), `${JSON.stringify(rect)} in ${JSON.stringify(frame)}`)
      for (const other of rects.slice(index + 1)) {
        const nested = isInside(other, rect)
        assert.isTrue(nested || areApart(rect, other))
        // The name of what is around stands above what is inside.
        if (nested) assert.isAtLeast(other.y, rect.y + 24)
      }
    })
    assert.lengthOf(back, 0)
    // Nothing more is drawn around it than there is.
    assert.strictEqual(Math.max(...rects.map((rect) => rect.x + rect.width)), width - 14)
    assert.strictEqual(Math.max(...rects.map((rect) => rect.y + rect.height)), height - 14)
    assert.strictEqual(Math.min(...rects.map((rect) => rect.y)), 14)
  }, { fastCheck: { numRuns: 50 } })

  it.prop(
    "leads its lines from the bottom of one box to the top of one below, with the tip there",
    [flows],
    ([flow]) => {
      const { forward, rects, tips } = drawn(Job.make("any", { flow: flow as never }))
      for (const [x1, y1, cx1, cy1, cx2, cy2, x2, y2] of forward) {
        assert.isTrue(rects.some((rect) => rect.x + rect.width / 2 === x1 && rect.y + rect.height === y1))
        assert.isTrue(rects.some((rect) => rect.x + rect.width / 2 === x2 && rect.y === y2))
        assert.isAbove(y2!, y1!)
        // Straight out of the one and into the other.
        assert.deepStrictEqual([cx1, cy1, cx2, cy2], [x1, y1! + 22, x2, y2! - 22])
        assert.isTrue(
          tips.some(([x, y, dx, dy, bx, by]) =>
            x === x2 && y === y2 && dx === -4 && dy === -8 && bx === x2! + 4 && by === y2! - 8
          )
        )
      }
      assert.lengthOf(tips, forward.length)
    },
    { fastCheck: { numRuns: 50 } }
  )

  it("leads what goes back around everything, at the right, into the side of the box", () => {
    const { back, rects, tips, width } = drawn(loop)
    assert.lengthOf(back, 2)
    for (const [x1, y1, far, y2, x2] of back) {
      const load = rects[0]!
      assert.isTrue(rects.some((rect) => rect.x + rect.width === x1 && rect.y + rect.height / 2 === y1))
      assert.deepStrictEqual([x2, y2], [load.x + load.width, load.y + load.height / 2])
      assert.isAbove(far!, Math.max(...rects.map((rect) => rect.x + rect.width)))
      assert.isBelow(far!, width)
      assert.isBelow(y2!, y1!)
      assert.isTrue(
        tips.some(([x, y, dx, dy, bx, by]) =>
          x === x2 && y === y2 && dx === 8 && dy === -4 && bx === x2! + 8 && by === y2! + 4
        )
      )
    }
  })

  it("has a row of its own for what comes later by any way, and no wider than its widest row", () => {
    const { rects } = drawn(loop)
    const rows = [...new Set(rects.map(({ y }) => y))].sort((one, other) => one - other)
    const at = rows.map((row) => rects.filter(({ y }) => y === row).length)
    assert.strictEqual(at.reduce((sum, count) => sum + count, 0), rects.length)
    assert.strictEqual(at[0], 1)
    assert.deepStrictEqual(rows.slice(1).map((row, index) => row - rows[index]!), rows.slice(1).map(() => 92))
    const middles = rows.map((row) => {
      const of = rects.filter(({ y }) => y === row)
      return (Math.min(...of.map(({ x }) => x)) + Math.max(...of.map((rect) => rect.x + rect.width))) / 2
    })
    assert.strictEqual(new Set(middles).size, 1, "rows are centred")
  })

  it("tells of each step what became of its last execution, and cuts what is too long", () => {
    const long = "a name that is longer than any box could be wide"
    const job = Job.make("told", {
      flow: Step.tasklet("ran", Effect.void).pipe(
        Flow.andThen(Step.tasklet(long, Effect.void)),
        Flow.andThen(Step.flow("around", Step.tasklet("inner", Effect.void)))
      )
    })
    const row = (stepName: string, read: number, writeSkip: number, code: string): StepExecution.StepExecution => ({
      ...StepExecution.make({ id: read, jobExecutionId: 1, stepName, createTime: DateTime.unsafeMake(0) }),
      status: "COMPLETED",
      exitStatus: ExitStatus.make(code),
      counts: Counts.make({ read, write: read - writeSkip, writeSkip })
    })
    const { markup, titles } = drawn(job, [
      row("ran", 7, 0, "ODD"),
      row("ran", 1234, 3, "COMPLETED"),
      row(long, 12_345, 12, "COMPLETED"),
      row("around", 1, 1, "COMPLETED")
    ])
    assert.deepStrictEqual(titles.slice(0, 4), [
      "ran: COMPLETED COMPLETED, 1,234 → 1,231, 3 skipped",
      `${long}: COMPLETED COMPLETED, 12,345 → 12,333, 12 skipped`,
      "around: COMPLETED COMPLETED, 1 → 0, 1 skipped",
      "inner"
    ])
    assert.include(markup, ">COMPLETED 1,234 → 1,231, 3 skipped<")
    assert.include(markup, ">COMPLETED 12,345 → 12,333, 12 ski…<")
    assert.include(markup, `>${long.slice(0, 25)}…<`)
    assert.strictEqual([...markup.matchAll(/class="box COMPLETED"/g)].length, 3)
  })
})
