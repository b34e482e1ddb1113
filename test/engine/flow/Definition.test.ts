import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { resolve } from "../../../src/decisions/outcome.js"
import { allGraphs, defects, steps } from "../../../src/definition/defects.js"
import { lower, targets } from "../../../src/definition/graph.js"
import type { Places } from "../../../src/definition/places.js"
import { placesOf } from "../../../src/definition/places.js"
import { foresee } from "../../../src/definition/routes.js"
import { definitionOf, nodeOf } from "../../../src/definition/tree.js"
import { Flow, Job, Partition, Step } from "../../../src/index.js"
import type { JobDefinitionError } from "../../../src/vocabulary/BatchError.js"
import { ok, scripted } from "./kit.js"
import { shared, toFlow, told } from "./tree.js"

const decider = (name: string, ...codes: ReadonlyArray<string>) =>
  Flow.decide(name, codes, () => Effect.succeed(codes[0]!))

const defectsOf = (flow: Flow.Flow<any, any, any>, name = "job"): ReadonlyArray<string> => {
  try {
    Job.make(name, { flow })
    return []
  } catch (error) {
    return (error as JobDefinitionError).defects
  }
}

const graphOf = (flow: Flow.Flow<any, any, any>) => lower(nodeOf(flow))

/** `from -code-> to` for all routes of the outermost graph. */
const routesOf = (flow: Flow.Flow<any, any, any>): ReadonlyArray<string> => {
  const graph = graphOf(flow)
  return graph.states.flatMap((state) =>
    foresee(state).routes.map(({ on, to }) =>
      `${state.name} -${on}-> ${typeof to === "number" ? graph.states[to]!.name : to}`
    )
  )
}

describe("the graph of a flow", () => {
  it("a step alone ends as it does", () => {
    assert.deepStrictEqual(routesOf(ok("a")), ["a -COMPLETED-> completed", "a -FAILED-> failed"])
  })

  it("andThen and match become routes; a composed flow routes on its end", () => {
    const flow = ok("a").pipe(Flow.andThen(ok("b")), Flow.match({ FAILED: ok("rescue"), COMPLETED: Flow.end("DONE") }))
    assert.deepStrictEqual(routesOf(flow), [
      "a -COMPLETED-> b",
      "a -FAILED-> rescue",
      "b -FAILED-> rescue",
      "b -COMPLETED-> end after a on COMPLETED",
      "rescue -COMPLETED-> completed",
      "rescue -FAILED-> failed"
    ])
  })

  it("a place is called as its step, and numbered from the second on: by that a restart finds it (OWN-27)", () => {
    const a = ok("a")
    const flow = a.pipe(
      Flow.andThen(Flow.split([a, a.pipe(Flow.andThen(ok("b")))])),
      Flow.andThen(Step.flow("b", a))
    )
    const named = (places: Places): ReadonlyArray<unknown> =>
      places.map(({ inner, place }) => inner.length === 0 ? place : [place, ...inner.map(named)])
    assert.deepStrictEqual(named(placesOf(graphOf(flow))), ["a", ["split(a, a)", ["a#2"], ["a#3", "b#2"]], ["b", [
      "a#4"
    ]]])
  })

  it("a value that stands in several places is several states, a loop comes back to one (FLOW-10, OWN-6, OWN-27)", () => {
    const archive = ok("archive")
    const joined = decider("d", "A", "B").pipe(Flow.match({ A: archive, B: ok("review").pipe(Flow.andThen(archive)) }))
    assert.deepStrictEqual(graphOf(joined).states.map(({ name }) => name), ["d", "archive", "review", "archive#2"])
    const twice = archive.pipe(Flow.andThen(ok("b")), Flow.andThen(archive))
    assert.deepStrictEqual(graphOf(twice).states.map(({ name }) => name), ["archive", "b", "archive#2"])
  })

  it("loops and joins of Flow.graph", () => {
    const flow = Flow.graph("poll", {
      poll: { run: decider("poll", "READY", "WAIT"), on: { READY: "load", WAIT: "wait" } },
      wait: { run: ok("wait"), on: { COMPLETED: "poll" } },
      load: { run: ok("load") }
    }).pipe(Flow.andThen(ok("next")))
    assert.deepStrictEqual(routesOf(flow), [
      "poll -READY-> load",
      "poll -WAIT-> wait",
      "load -COMPLETED-> next",
      "load -FAILED-> failed",
      "wait -COMPLETED-> poll",
      "wait -FAILED-> failed",
      "next -COMPLETED-> completed",
      "next -FAILED-> failed"
    ])
  })

  it("a long chain is lowered without deep recursion", () => {
    let flow: Flow.Flow<any, any, any> = ok("0")
    for (let n = 1; n < 3_000; n++) {
      flow = Flow.andThen(flow, ok(String(n)))
    }
    assert.strictEqual(graphOf(flow).states.length, 3_000)
  })

  it("the steps of splits and flow steps are steps of the job (FLOW-72)", () => {
    const flow = Flow.split([ok("a"), Step.flow("outer", ok("b"))]).pipe(Flow.andThen(ok("c")))
    assert.deepStrictEqual(steps(graphOf(flow)).map(({ name }) => name), ["c", "a", "outer", "b"])
  })

  it("lowering is total, names are unique, and every outcome of every state leads somewhere that exists", () => {
    fc.assert(
      fc.property(shared, fc.constantFrom("COMPLETED", "FAILED", "CUSTOM", "LEFT"), (tree, code) => {
        for (const graph of allGraphs(lower(nodeOf(toFlow(tree, told(() => "")))))) {
          const names = graph.states.map(({ name }) => name)
          assert.strictEqual(new Set(names).size, names.length)
          assert.isTrue(graph.start >= 0 && graph.start < names.length)
          for (const { ways } of graph.states) {
            assert.isTrue(targets(ways).every((at) => at >= 0 && at < names.length))
            const way = resolve(ways, { status: code === "FAILED" ? "FAILED" : "COMPLETED", code })
            assert.isTrue(way._tag !== "GoTo" || targets(ways).includes(way.at))
          }
        }
      })
    )
  })
})

describe("what Job.make refuses", () => {
  it("names that are missing or not unique, in branches and flow steps too (BUILD-1, BUILD-6)", () => {
    const flow = Flow.split([ok("a"), Step.flow("f", ok("a"))]).pipe(
      Flow.andThen(decider("f", "X")),
      Flow.andThen(ok(" "))
    )
    assert.sameMembers([...defectsOf(flow, " ")], [
      "a job needs a name",
      "a decider and a step are both called \"f\"",
      "a step needs a name",
      "two different steps are called \"a\": give one of them another name"
    ])
  })

  it("unknown targets and starts of a graph, with the name that was probably meant (FLOW-9)", () => {
    const flow = Flow.graph("pol" as "poll", {
      poll: { run: decider("poll", "READY"), on: { READY: "lod" as "load" } },
      load: { run: ok("load") }
    })
    assert.deepStrictEqual(defectsOf(flow).slice(0, 2), [
      "state \"poll\" goes to \"lod\", which is no state (did you mean \"load\"?)",
      "the graph starts at \"pol\", which is no state (did you mean \"poll\"?)"
    ])
  })

  it("states that nothing leads to", () => {
    assert.deepStrictEqual(defectsOf(Flow.andThen(Flow.end(), ok("late"))), ["\"late\" can't be reached"])
    const island = Flow.graph("a", {
      a: { run: ok("a"), on: { COMPLETED: "END" } },
      island: { run: ok("island"), on: { COMPLETED: "a" } }
    })
    assert.deepStrictEqual(defectsOf(island), ["\"island\" can't be reached"])
  })

  it("an empty split, an impossible concurrency", () => {
    assert.deepStrictEqual(defectsOf(Flow.split([])), ["a split needs at least one branch"])
    assert.deepStrictEqual(defectsOf(Flow.split([ok("a")], { concurrency: 0 })), [
      "the concurrency of \"split(a)\" is 0, it must be a whole number from 1 on"
    ])
    const parts = (concurrency: number) =>
      Step.partition("parts", {
        plan: Partition.values([1]),
        input: Schema.Number,
        step: () => Step.tasklet("one", Effect.void),
        concurrency
      })
    for (const concurrency of [-1, 0, 0.5, 1, 1.5, 2, Number.NaN, Number.POSITIVE_INFINITY]) {
      const problem = (name: string, least: number) =>
        Number.isInteger(concurrency) && concurrency >= least
          ? []
          : [`the concurrency of "${name}" is ${concurrency}, it must be a whole number from ${least} on`]
      assert.deepStrictEqual(defectsOf(Flow.split([ok("a")], { concurrency })), problem("split(a)", 1))
      // Without slots of its own a job leaves all partitions to workers.
      assert.deepStrictEqual(defectsOf(parts(concurrency)), problem("parts", 0))
    }
    assert.deepStrictEqual(defectsOf(Flow.split([ok("a")], { concurrency: "unbounded" })), [])
  })

  it("codes without a transition, keys that no code can match, empty keys", () => {
    const dynamic = decider("d", "A", "B") as Flow.Flow<string>
    assert.deepStrictEqual(defectsOf(dynamic.pipe(Flow.match({ A: ok("a"), C: ok("c") }))), [
      "\"c\" can't be reached",
      "\"d\" may end with \"B\", for which there is no transition",
      "after \"d\" no exit code can match \"C\""
    ])
    const loose = ok("s") as Flow.Flow<string, any>
    assert.deepStrictEqual(defectsOf(loose.pipe(Flow.match({ "": ok("a"), "*": ok("b") }))), [
      "after \"s\" a pattern is empty"
    ])
  })

  it("a key that other keys hide, at the state that holds it, with their names (OWN-26)", () => {
    const weekday = decider("weekday", "MONDAY", "FRIDAY")
    const flow = ok("load").pipe(
      Flow.andThen(weekday),
      Flow.match({ MONDAY: ok("m"), FRIDAY: ok("f"), "*DAY": ok("d") })
    )
    assert.deepStrictEqual(defectsOf(flow).slice(-1), [
      `after "weekday" the pattern "*DAY" is never taken: "MONDAY", "FRIDAY" are more specific and take every code that could lead there`
    ])
    const skips = ok("s").pipe(Flow.match({ "COMPLETED*": ok("a"), "COMPLETED*?": ok("b"), "*": ok("c") }))
    assert.deepStrictEqual(defectsOf(skips), [
      `after "s" the pattern "COMPLETED*?" is never taken: "COMPLETED*" is more specific and takes every code that could lead there`
    ])
  })

  it("all defects at once", () => {
    const flow = (decider("d", "A") as Flow.Flow<string>).pipe(
      Flow.match({ B: Flow.split([]) }),
      Flow.andThen(scripted("d", ["COMPLETED"]))
    )
    const found = defectsOf(flow, "")
    assert.isAtLeast(found.length, 5, found.join("\n"))
  })

  it("an accepted definition has no defects", () => {
    assert.deepStrictEqual(
      defects(definitionOf(Job.make("fine", { flow: ok("a").pipe(Flow.match({ "*": Flow.stop() })) }))),
      []
    )
  })
})
