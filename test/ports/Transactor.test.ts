/**
 * Transactions of two transactors inside of each other, in any nesting, against a model: who opens one, who joins, who stands
 * outside, and what is undone when one of them rolls back.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Transactor from "../../src/ports/Transactor.js"

type Owner = "a" | "b"

type Plan =
  /** Something that is undone when the transaction around it rolls back. */
  | { readonly _tag: "note"; readonly id: number }
  /** Whether a transaction is open. */
  | { readonly _tag: "ask" }
  | {
    readonly _tag: "transact"
    readonly owner: Owner
    readonly propagation: NonNullable<Transactor.TransactionOptions["propagation"]>
    readonly inside: ReadonlyArray<Plan>
    readonly fails: boolean
    readonly isCaught: boolean
  }

const { plan } = FastCheck.letrec<{ plan: Plan }>((tie) => ({
  plan: FastCheck.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { arbitrary: FastCheck.record({ _tag: FastCheck.constant("note" as const), id: FastCheck.nat(99) }), weight: 2 },
    { arbitrary: FastCheck.record({ _tag: FastCheck.constant("ask" as const) }), weight: 1 },
    {
      weight: 4,
      arbitrary: FastCheck.record({
        _tag: FastCheck.constant("transact" as const),
        owner: FastCheck.constantFrom<Owner>("a", "b"),
        propagation: FastCheck.constantFrom(
          "required" as const,
          "required" as const,
          "requiresNew" as const,
          "notSupported" as const
        ),
        inside: FastCheck.array(tie("plan"), { minLength: 1, maxLength: 3 }),
        fails: FastCheck.boolean(),
        isCaught: FastCheck.boolean()
      })
    }
  )
}))

interface Open {
  readonly owner: Owner
  readonly outer: Open | undefined
  readonly undos: Array<string>
}

const innermostOf = (open: Open | undefined, owner: Owner): Open | undefined =>
  open === undefined || open.owner === owner ? open : innermostOf(open.outer, owner)

/** The model; false when it fails. */
const expected = (plans: ReadonlyArray<Plan>, open: Open | undefined, log: Array<string>): boolean =>
  plans.every((plan) => {
    switch (plan._tag) {
      case "note":
        open?.undos.push(`undo ${plan.id}`)
        return true
      case "ask":
        log.push(open === undefined ? "none is open" : "one is open")
        return true
      case "transact": {
        const { fails, inside, isCaught, owner, propagation } = plan
        const joined = innermostOf(open, owner)
        const run = (open: Open | undefined) => expected(inside, open, log) && !fails
        const apart = (run: () => boolean) => {
          log.push("out of it")
          const succeeds = run()
          log.push("back in it")
          return succeeds
        }
        const renewed = () => {
          const own: Open = { owner, outer: open, undos: [] }
          log.push(`${owner} begins`)
          const succeeds = run(own)
          log.push(`${owner} ${succeeds ? "commits" : "rolls back"}`)
          return { succeeds, undos: succeeds ? [] : own.undos.reverse() }
        }
        if (propagation === "notSupported") {
          return (joined === undefined ? run(open) : apart(() => run(undefined))) || isCaught
        }
        if (propagation === "required" && joined !== undefined) {
          return run(joined) || isCaught
        }
        let undos: ReadonlyArray<string> = []
        const anew = () => {
          const { succeeds, undos: found } = renewed()
          undos = found
          return succeeds
        }
        const succeeds = joined === undefined ? anew() : apart(anew)
        log.push(...undos)
        return succeeds || isCaught
      }
    }
  })

const logged = (log: Array<string>) => (text: string) => Effect.sync(() => void log.push(text))

const transactors = (log: Array<string>) => {
  const say = logged(log)
  const make = (owner: Owner) =>
    Transactor.make(
      (effect) =>
        Effect.zipRight(say(`${owner} begins`), effect).pipe(
          Effect.tapBoth({ onFailure: () => say(`${owner} rolls back`), onSuccess: () => say(`${owner} commits`) })
        ),
      (effect) => Effect.zipRight(say("out of it"), Effect.ensuring(effect, say("back in it")))
    )
  return { a: make("a"), b: make("b") }
}

const performed = (plans: ReadonlyArray<Plan>, log: Array<string>, { a, b }: ReturnType<typeof transactors>) => {
  const say = logged(log)
  const run = (plans: ReadonlyArray<Plan>): Effect.Effect<void, unknown> =>
    Effect.forEach(plans, (plan): Effect.Effect<void, unknown> => {
      switch (plan._tag) {
        case "note":
          return Transactor.onRollback(say(`undo ${plan.id}`))
        case "ask":
          return Effect.flatMap(Transactor.isOpen, (is) => say(is ? "one is open" : "none is open"))
        case "transact": {
          const { fails, inside, isCaught, owner, propagation } = plan
          const body = fails ? Effect.zipRight(run(inside), Effect.fail("no")) : run(inside)
          const transaction = (owner === "a" ? a : b).transact(body, { propagation })
          return isCaught ? Effect.ignore(transaction) : transaction
        }
      }
    }, { discard: true })
  return Effect.exit(run(plans))
}

it.effect.prop(
  "transactions of two transactors in each other begin, join, stand outside and are undone as the model says (TX-1)",
  [FastCheck.array(plan, { minLength: 1, maxLength: 4 })],
  ([plans]) =>
    Effect.gen(function*() {
      const [log, model]: [Array<string>, Array<string>] = [[], []]
      yield* performed(plans, log, transactors(log))
      expected(plans, undefined, model)
      assert.deepStrictEqual(log, model)
      // Whatever happened, none is open any more.
      assert.isFalse(yield* Transactor.isOpen)
    })
)

it.effect("what was forked in a transaction and outlives it takes part in the one around it, and in none else (OWN-12)", () =>
  Effect.gen(function*() {
    const log: Array<string> = []
    const { a, b } = transactors(log)
    const late = Effect.zipRight(
      Effect.yieldNow(),
      performed(
        [
          { _tag: "ask" },
          { _tag: "note", id: 1 },
          { _tag: "transact", owner: "b", propagation: "required", inside: [], fails: false, isCaught: false },
          { _tag: "transact", owner: "a", propagation: "required", inside: [], fails: false, isCaught: false }
        ],
        log,
        { a, b }
      )
    )
    yield* Effect.exit(a.transact(Effect.gen(function*() {
      const fiber = yield* b.transact(Effect.fork(late))
      log.length = 0
      yield* Fiber.join(fiber)
      return yield* Effect.fail("no")
    })))
    assert.deepStrictEqual(log, ["one is open", "b begins", "b commits", "a rolls back", "undo 1"])
    log.length = 0
    const fiber = yield* a.transact(Effect.forkDaemon(late))
    log.length = 0
    yield* Fiber.join(fiber)
    assert.deepStrictEqual(log, ["none is open", "b begins", "b commits", "a begins", "a commits"])
  }))

it.effect("a transaction is empty as long as nothing in it could be undone, and nothing around it", () =>
  Effect.gen(function*() {
    const { a } = transactors([])
    const open = (change: Partial<Transactor.Open>): Transactor.Open => ({
      owner: {},
      outer: undefined,
      undos: [],
      isOver: false,
      isUnused: () => true,
      ...change
    })
    const used = open({ isUnused: () => false })
    const cases: ReadonlyArray<readonly [Transactor.Open | undefined, boolean]> = [
      [undefined, false],
      [open({}), true],
      [used, false],
      [open({ undos: [Effect.void] }), false],
      // Of a driver that can't tell.
      [{ owner: {}, outer: undefined, undos: [], isOver: false }, false],
      [open({ outer: open({}) }), true],
      [open({ outer: used }), false],
      [open({ outer: { ...used, isOver: true } }), true],
      [{ ...used, isOver: true, outer: open({}) }, true],
      [{ ...used, isOver: true, outer: used }, false]
    ]
    for (const [index, [current, isEmpty]] of cases.entries()) {
      const ask = (service: typeof a) =>
        Effect.locally(Transactor.isEmpty(service), Transactor.CurrentTransaction, current)
      assert.strictEqual(yield* ask(a), isEmpty, `case ${index}`)
      // Somebody has wrapped it, and may have written something of his own.
      assert.isFalse(yield* ask({ transact: (effect, options) => a.transact(effect, options) }))
    }
  }))
