/**
 * The other end of `ItemProcessor.workerThreads`: what the module in the thread calls.
 *
 * Import it as `effect-batch/WorkerProcessor`, which loads nothing else, so that threads start fast and stay small.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { isMainThread, type MessagePort, parentPort, workerData } from "node:worker_threads"
import * as Wire from "./threadWire.js"

/**
 * The result that says: this item is not written. The same as `ItemProcessor.Filtered`.
 *
 * @since 0.1.0
 * @category models
 */
export const Filtered: unique symbol = Symbol.for("effect-batch/ItemProcessor/Filtered") as any

/**
 * @since 0.1.0
 * @category models
 */
export type Filtered = typeof Filtered

/**
 * What a function in a thread gives for an item: the output, a promise of it, or an effect that needs nothing.
 *
 * @since 0.1.0
 * @category models
 */
export type Result<Out, E = unknown> =
  | Out
  | Filtered
  | PromiseLike<Out | Filtered>
  | Effect.Effect<Out | Filtered, E>

/**
 * Answers each item that this thread is given, one after the other. `data` is what `workerThreads` was given as `data`.
 *
 * Whatever the function throws, rejects with or fails with is the failure of that item; a defect of an effect fails the
 * step. Outputs are cloned on their way back: give plain values, and have `schema` make what you need of them.
 *
 * Everywhere but in a thread of `workerThreads` it does nothing, so a test may import the module and call its function.
 *
 * ```ts
 * // score.ts
 * import * as WorkerProcessor from "effect-batch/WorkerProcessor"
 *
 * interface Payment {
 *   readonly id: string
 *   readonly cents: number
 * }
 *
 * export const score = (payment: Payment) => ({ id: payment.id, score: Math.sqrt(payment.cents) })
 *
 * WorkerProcessor.serve(score)
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const serve = <In, Out, Data = unknown>(process: (item: In, data: Data) => Result<Out>): void => {
  const start = startOf(workerData)
  const port = parentPort
  if (isMainThread || port === null || start === undefined) {
    return
  }
  const progress = new Int32Array(start.progress)
  const answer = answering((item) => process(item as In, start.data as Data), progress)
  port.on("message", (unit: Wire.Unit) => {
    void answer(unit).then((answers) => send(port, answers, progress))
  })
  port.postMessage(Wire.ready)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const startOf = (data: unknown): Wire.Start | undefined =>
  typeof data === "object" && data !== null && Wire.KEY in data
    ? (data as { readonly [Wire.KEY]: Wire.Start })[Wire.KEY]
    : undefined

/** Says before each item at which one it is: if the thread dies, that is all that is left of it. */
const answering =
  (process: (item: unknown) => Result<unknown>, progress: Int32Array) =>
  async (items: Wire.Unit): Promise<Array<Wire.Answer>> => {
    const answers: Array<Wire.Answer> = []
    for (let index = 0; index < items.length; index++) {
      Atomics.store(progress, 0, index)
      try {
        const result = process(items[index])
        const later = isEffect(result) ? await run(result) : isPromise(result) ? output(await result) : output(result)
        answers.push(later)
      } catch (error) {
        answers.push({ _tag: "Failed", error: Wire.encodeError(error) })
      }
    }
    Atomics.store(progress, 0, Wire.IDLE)
    return answers
  }

const output = (value: unknown): Wire.Answer => value === Filtered ? { _tag: "Filtered" } : { _tag: "Output", value }

/** The effect system is loaded by threads that use it. */
const run = async (effect: Effect.Effect<unknown, unknown>): Promise<Wire.Answer> => {
  const [{ runPromiseExit }, Cause] = await Promise.all([import("effect/Effect"), import("effect/Cause")])
  const exit: Exit.Exit<unknown, unknown> = await runPromiseExit(effect)
  if (exit._tag === "Success") {
    return output(exit.value)
  }
  const failure = Cause.failureOption(exit.cause)
  return failure._tag === "Some" && Cause.isFailure(exit.cause) && !Cause.isDie(exit.cause)
    ? { _tag: "Failed", error: Wire.encodeError(failure.value) }
    : { _tag: "Died", error: Wire.encodeError(Cause.squash(exit.cause)) }
}

const isEffect = (value: unknown): value is Effect.Effect<unknown, unknown> =>
  typeof value === "object" && value !== null && EffectTypeId in value

const EffectTypeId = Symbol.for("effect/Effect")

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

/** An output that cannot be cloned is the failure of its own item. */
const send = (port: MessagePort, answers: ReadonlyArray<Wire.Answer>, progress: Int32Array): void => {
  try {
    port.postMessage(answers)
  } catch {
    port.postMessage(answers.map((answer, index): Wire.Answer => {
      Atomics.store(progress, 0, index)
      const problem = answer._tag === "Output" ? Wire.cloneProblem(answer.value) : undefined
      return problem === undefined ? answer : { _tag: "NotCloneable", problem }
    }))
    Atomics.store(progress, 0, Wire.IDLE)
  }
}
