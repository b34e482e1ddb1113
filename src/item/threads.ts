/**
 * Threads that process the items of chunks, as callbacks: the house of `ItemProcessor.workerThreads`.
 *
 * Each thread is given one unit at a time, which is one message, and answers it with one. A thread that dies is replaced, and
 * `decisions/deadThread` says what becomes of its unit. All that this process ever does is to wait for messages.
 */
import * as Effect from "effect/Effect"
import { type ResourceLimits, Worker } from "node:worker_threads"
import type { Unit, Verdict } from "../decisions/deadThread.js"
import { afterDeath, divide } from "../decisions/deadThread.js"
import type { Module } from "./threadModule.js"
import * as Wire from "./threadWire.js"
import { WorkerCloneError, WorkerItemTimeout, WorkerStartError, WorkerThreadDied } from "./WorkerError.js"

/** - `timeout`: milliseconds that one item may take; none by default.
 * - `startTimeout`: milliseconds until a thread must be ready.
 */
export interface Options {
  readonly module: Module
  readonly threads: number
  readonly data: unknown
  readonly timeout: number | undefined
  readonly startTimeout: number
  readonly resourceLimits: ResourceLimits | undefined
}

/** What became of an item: an answer of the thread, or why there is none. */
export type Answer = Wire.Answer | { readonly _tag: "Lost"; readonly error: Lost }

export type Lost = WorkerThreadDied | WorkerItemTimeout | WorkerCloneError

/** The items of a chunk on their way. */
interface Task {
  readonly items: ReadonlyArray<unknown>
  readonly answers: Array<Answer>
  open: number
  readonly end: (result: ReadonlyArray<Answer> | WorkerStartError) => void
}

interface Work {
  readonly task: Task
  readonly unit: Unit
}

interface Thread {
  readonly worker: Worker
  readonly progress: Int32Array
  state: "starting" | "ready" | "gone"
  /** How many units it was given. */
  given: number
  work: Work | undefined
  /** Whether it is being ended because it took too long. */
  isLate: boolean
  error: unknown
  /** At which item it was when somebody last looked, and since when. */
  seen: { readonly at: number; readonly since: number }
}

export interface Pool {
  readonly options: Options
  readonly threads: Set<Thread>
  queue: Array<Work>
  isClosed: boolean
  /** Why no thread can be started any more. */
  broken: WorkerStartError | undefined
  /** Hears of the first threads. */
  onStart: ((error: WorkerStartError | undefined) => void) | undefined
  /** What nobody was told yet. */
  warnings: Array<string>
  /** When somebody last looked at the threads. */
  lookedAt: number
  readonly watch: ReturnType<typeof setInterval>
}

/** Has no threads yet, see {@link awaitReady}; but from here on it has to be closed. */
export const make = (options: Options): Effect.Effect<Pool> =>
  Effect.sync(() => {
    const pool: Pool = {
      options,
      threads: new Set(),
      queue: [],
      isClosed: false,
      broken: undefined,
      onStart: undefined,
      warnings: [],
      lookedAt: performance.now(),
      watch: setInterval(() => lookAt(pool), lookEvery(options))
    }
    pool.watch.unref()
    return pool
  })

/** Starts all threads. */
export const awaitReady = (pool: Pool): Effect.Effect<void, WorkerStartError> =>
  Effect.async((resume) => {
    pool.onStart = (error) => resume(error === undefined ? Effect.void : Effect.fail(error))
    for (let count = 0; count < pool.options.threads && pool.broken === undefined; count++) {
      start(pool)
    }
  })

/** Ends all threads, whatever they are at. */
export const close = (pool: Pool): Effect.Effect<void> =>
  Effect.promise(() => {
    pool.isClosed = true
    pool.queue = []
    clearInterval(pool.watch)
    return Promise.all([...pool.threads].map(({ worker }) => worker.terminate()))
  })

/** What became of each item, in their order. Interrupted, it ends the threads that are at these items. */
export const process = (pool: Pool, items: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<Answer>> =>
  items.length === 0 ? Effect.succeed([]) : Effect.async((resume) => {
    const task: Task = {
      items,
      answers: [],
      open: items.length,
      end: (result) => resume(result instanceof WorkerStartError ? Effect.die(result) : Effect.succeed(result))
    }
    pool.queue.push(...divide(items.length, pool.options.threads).map((unit) => ({ task, unit })))
    dispatch(pool)
    if (pool.broken !== undefined) {
      breakPool(pool, pool.broken)
    }
    return Effect.sync(() => cancel(pool, task))
  })

/** What it has to say since it was last asked. */
export const takeWarnings = (pool: Pool): ReadonlyArray<string> => {
  const { warnings } = pool
  pool.warnings = []
  return warnings
}

export const notCloneable = (of: "item" | "output", problem: string): WorkerCloneError =>
  new WorkerCloneError({ of, problem })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const start = (pool: Pool): void => {
  const { data, module, resourceLimits } = pool.options
  const progress = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const started: Wire.Start = { progress, data }
  let worker: Worker
  try {
    worker = new Worker(module.entry, {
      workerData: { [Wire.KEY]: started },
      ...(resourceLimits === undefined ? {} : { resourceLimits })
    })
  } catch (error) {
    return breakPool(pool, startError(pool, textOf(error), error))
  }
  const thread: Thread = {
    worker,
    progress: new Int32Array(progress),
    state: "starting",
    given: 0,
    work: undefined,
    isLate: false,
    error: undefined,
    seen: { at: Wire.IDLE, since: performance.now() }
  }
  pool.threads.add(thread)
  worker.on("message", (message) => hear(pool, thread, message))
  worker.on("messageerror", (error) => {
    thread.error = error
    void worker.terminate()
  })
  worker.on("error", (error) => (thread.error = error ?? "undefined was thrown"))
  worker.on("exit", (code) => bury(pool, thread, code))
}

const hear = (pool: Pool, thread: Thread, message: unknown): void => {
  if (message === Wire.ready) {
    thread.state = "ready"
    if ([...pool.threads].every(({ state }) => state === "ready")) {
      tellStarted(pool, undefined)
    }
  } else if (thread.work !== undefined) {
    const { task, unit } = thread.work
    thread.work = undefined
    const answers = message as ReadonlyArray<Wire.Answer>
    unit.items.forEach((item, index) => settle(task, item, answers[index]!))
  }
  dispatch(pool)
}

const tellStarted = (pool: Pool, error: WorkerStartError | undefined): void => {
  const { onStart } = pool
  pool.onStart = undefined
  onStart?.(error)
}

const settle = (task: Task, item: number, answer: Answer): void => {
  task.answers[item] = answer
  task.open--
  if (task.open === 0) {
    task.end(task.answers)
  }
}

/** Gives what waits to threads that are idle. A unit that must be alone gets a thread that is new, in place of one that is not. */
const dispatch = (pool: Pool): void => {
  while (!pool.isClosed && pool.broken === undefined && pool.queue.length > 0) {
    const idle = [...pool.threads].filter(({ isLate, state, work }) =>
      state === "ready" && work === undefined && !isLate
    )
    const fit = (work: Work) => idle.find(({ given }) => given === 0 || !work.unit.alone)
    const index = pool.queue.findIndex((work) => fit(work) !== undefined)
    if (index >= 0) {
      const work = pool.queue[index]!
      pool.queue.splice(index, 1)
      send(pool, fit(work)!, work)
    } else if (livingOf(pool) < pool.options.threads) {
      start(pool)
    } else if (idle.length > 0 && ![...pool.threads].some(({ state }) => state === "starting")) {
      retire(idle[0]!)
    } else {
      return
    }
  }
}

const livingOf = (pool: Pool): number =>
  [...pool.threads].filter(({ isLate, state }) => state !== "gone" && !isLate).length

/** Its place is free at once; nobody waits for its end but who closes the pool. */
const retire = (thread: Thread): void => {
  thread.state = "gone"
  void thread.worker.terminate()
}

const send = (pool: Pool, thread: Thread, work: Work): void => {
  const { items } = work.unit
  thread.progress.fill(Wire.IDLE)
  try {
    thread.worker.postMessage(items.map((item) => work.task.items[item]))
    thread.work = work
    thread.given++
    thread.seen = { at: Wire.IDLE, since: performance.now() }
  } catch (error) {
    refuse(pool, work, error)
  }
}

/** Those that cannot be cloned are named, and the others go on their way. */
const refuse = (pool: Pool, { task, unit }: Work, error: unknown): void => {
  const problems = new Map(unit.items.flatMap((item) => {
    const problem = Wire.cloneProblem(task.items[item])
    return problem === undefined ? [] : [[item, problem] as const]
  }))
  const isBlamed = (item: number) => problems.size === 0 || problems.has(item)
  const others = unit.items.filter((item) => !isBlamed(item))
  if (others.length > 0) {
    pool.queue.unshift({ task, unit: { items: others, alone: unit.alone } })
  }
  for (const item of unit.items.filter(isBlamed)) {
    const problem = problems.get(item) ?? textOf(error)
    settle(task, item, { _tag: "Lost", error: notCloneable("item", problem) })
  }
}

/** What is to be done when a thread has ended, for whatever reason. */
const bury = (pool: Pool, thread: Thread, code: number): void => {
  const wasStarting = thread.state === "starting"
  const wasRetired = thread.state === "gone"
  thread.state = "gone"
  pool.threads.delete(thread)
  if (pool.isClosed || wasRetired) {
    return
  }
  if (wasStarting) {
    return breakPool(pool, whyNotStarted(pool, thread, code))
  }
  const verdict = thread.work === undefined ? undefined : lose(pool, thread, thread.work, code)
  if (verdict?.blamed === undefined) {
    pool.warnings.push(
      `A thread of ${pool.options.module.url.href} died: ${problemOf(thread, code)}; ` +
        (verdict === undefined ? "it was idle" : "its items are tried again")
    )
  }
  dispatch(pool)
}

/** What becomes of the unit that a dead thread was at. */
const lose = (pool: Pool, thread: Thread, { task, unit }: Work, code: number): Verdict => {
  const at = Atomics.load(thread.progress, 0)
  const verdict = afterDeath(unit, { at: at === Wire.IDLE ? undefined : at, isNew: thread.given === 1 })
  pool.queue.unshift(...verdict.again.map((unit) => ({ task, unit })))
  if (verdict.blamed !== undefined) {
    const problem = problemOf(thread, code)
    const { isLate } = thread
    settle(task, verdict.blamed, {
      _tag: "Lost",
      error: isLate
        ? new WorkerItemTimeout({ milliseconds: pool.options.timeout! })
        : new WorkerThreadDied({ problem, ...(thread.error === undefined ? { exitCode: code } : {}) })
    })
  }
  return verdict
}

const problemOf = ({ error, isLate }: Thread, code: number): string =>
  isLate ? "an item took too long" : error === undefined ? `it ended with exit code ${code}` : textOf(error)

const whyNotStarted = (pool: Pool, { error, isLate }: Thread, code: number): WorkerStartError =>
  isLate
    ? startError(pool, `it was not ready within ${pool.options.startTimeout} ms; does it call WorkerProcessor.serve?`)
    : error !== undefined
    ? startError(pool, textOf(error), error)
    : startError(pool, `it ended with exit code ${code} and did not call WorkerProcessor.serve`)

/** In milliseconds. */
const lookEvery = ({ timeout }: Options): number => Math.min(250, Math.max(5, (timeout ?? 1000) / 4))

/**
 * Ends threads in which an item, or the start, takes too long. Time in which nobody could look, as this process was frozen or
 * its event loop was busy, is not their fault: the threads stood still as well, or have an answer that was not heard yet.
 */
const lookAt = (pool: Pool): void => {
  const { startTimeout, timeout } = pool.options
  const now = performance.now()
  const missed = Math.max(0, now - pool.lookedAt - lookEvery(pool.options))
  pool.lookedAt = now
  for (const thread of pool.threads) {
    const limit = thread.state === "starting" ? startTimeout : thread.work === undefined ? undefined : timeout
    const at = Atomics.load(thread.progress, 0)
    thread.seen = at === thread.seen.at ? { at, since: Math.min(now, thread.seen.since + missed) } : { at, since: now }
    if (limit !== undefined && !thread.isLate && now - thread.seen.since >= limit) {
      thread.isLate = true
      void thread.worker.terminate()
    }
  }
}

const cancel = (pool: Pool, task: Task): void => {
  pool.queue = pool.queue.filter((work) => work.task !== task)
  for (const thread of pool.threads) {
    if (thread.work?.task === task) {
      thread.work = undefined
      retire(thread)
    }
  }
}

/** Nobody waits for a thread that cannot come. */
const breakPool = (pool: Pool, error: WorkerStartError): void => {
  pool.broken = error
  const tasks = new Set([
    ...pool.queue.map(({ task }) => task),
    ...[...pool.threads].flatMap(({ work }) => work === undefined ? [] : [work.task])
  ])
  pool.queue = []
  tasks.forEach(({ end }) => end(error))
  tellStarted(pool, error)
}

const startError = (pool: Pool, problem: string, cause?: unknown): WorkerStartError =>
  new WorkerStartError({ module: pool.options.module.url.href, problem, ...(cause === undefined ? {} : { cause }) })

const textOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error)
