/**
 * A machine for virtual processes: one queue of tasks for each, one time for all, and nothing that waits for the real one. Which
 * process does its next piece is drawn, so the same seed gives the same run.
 *
 * A fiber needs a scheduler to go on. That of a process holds everything back while the process is frozen, and drops it once
 * the process is dead: none of its finalizers runs.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scheduler from "effect/Scheduler"

export interface Process {
  readonly name: string
  readonly host: number
  state: "alive" | "frozen" | "dead"
  readonly tasks: Array<() => void>
  readonly scheduler: Scheduler.Scheduler
  readonly clock: Clock.Clock
  /** How far its wall clock is off, in milliseconds. */
  skew: number
  /** The last moment at which it was frozen. */
  frozenAt: number
}

export interface Machine {
  readonly processes: ReadonlySet<Process>
  /** Milliseconds since the beginning. */
  readonly now: () => number
  /** How many pieces of work were done so far. */
  readonly ticks: () => number
  readonly spawn: (name: string, host: number) => Process
  readonly after: (millis: number, run: () => void) => () => void
  readonly kill: (process: Process) => void
  readonly freeze: (process: Process) => void
  readonly thaw: (process: Process) => void
  /** Does one piece of work, or lets the time pass until there is one. False when nothing will ever happen. */
  readonly step: () => boolean
}

/** - `stickiness`: in percent, how often a process goes on that has just done something. */
export const make = (random: (below: number) => number, stickiness: number): Machine => {
  const processes = new Set<Process>()
  const timers = makeTimers()
  let [now, ticks] = [0, 0]
  let last: Process | undefined

  const after = (millis: number, run: () => void): () => void => timers.add(now + Math.max(0, millis), run)
  const hasWork = (process: Process): boolean => process.state === "alive" && process.tasks.length > 0
  const next = (): Process | undefined => {
    if (last !== undefined && hasWork(last) && random(100) < stickiness) {
      return last
    }
    const ready = [...processes].filter(hasWork)
    last = ready[random(ready.length)]
    return last
  }
  return {
    processes,
    now: () => now,
    ticks: () => ticks,
    after,
    spawn: (name, host) => {
      const process: Process = {
        name,
        host,
        state: "alive",
        tasks: [],
        scheduler: {
          shouldYield: (fiber) => fiber.currentOpCount > 2048 ? 0 : false,
          scheduleTask: (task) => {
            if (process.state !== "dead") {
              process.tasks.push(task)
            }
          }
        },
        clock: clockOf(() => now, () => process.skew, after),
        skew: 0,
        frozenAt: -1
      }
      processes.add(process)
      return process
    },
    kill: (process) => {
      process.state = "dead"
      process.tasks.length = 0
      processes.delete(process)
    },
    freeze: (process) => {
      process.state = "frozen"
      process.frozenAt = now
    },
    thaw: (process) => {
      if (process.state === "frozen") {
        process.state = "alive"
        process.frozenAt = now
      }
    },
    step: () => {
      const process = next()
      if (process !== undefined) {
        ticks++
        process.tasks.shift()!()
        return true
      }
      const timer = timers.next()
      if (timer === undefined) {
        return false
      }
      now = Math.max(now, timer.at)
      timer.run()
      return true
    }
  }
}

/** Time as it passes, on a wall clock that may be wrong. Also that of the database. */
export const clockOf = (
  now: () => number,
  skew: () => number,
  after: Machine["after"]
): Clock.Clock => {
  const wall = () => EPOCH + Math.floor(now()) + skew()
  const monotonic = () => BigInt(Math.round(now() * 1_000_000))
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: wall,
    unsafeCurrentTimeNanos: monotonic,
    currentTimeMillis: Effect.sync(wall),
    currentTimeNanos: Effect.sync(monotonic),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const cancel = after(Duration.toMillis(duration), () => resume(Effect.void))
        return Effect.sync(cancel)
      })
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const EPOCH = Date.UTC(2026, 0, 1)

interface Timer {
  readonly at: number
  readonly order: number
  readonly run: () => void
  isCancelled: boolean
}

/** A heap, by time and then by the order in which they were set. */
const makeTimers = () => {
  const heap: Array<Timer> = []
  let count = 0
  const isBefore = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order)
  const swap = (a: number, b: number) => {
    const kept = heap[a]!
    heap[a] = heap[b]!
    heap[b] = kept
  }
  const rise = (at: number): void => {
    const parent = (at - 1) >> 1
    if (at > 0 && isBefore(heap[at]!, heap[parent]!)) {
      swap(at, parent)
      rise(parent)
    }
  }
  const sink = (at: number): void => {
    const [left, right] = [2 * at + 1, 2 * at + 2]
    let first = at
    if (left < heap.length && isBefore(heap[left]!, heap[first]!)) {
      first = left
    }
    if (right < heap.length && isBefore(heap[right]!, heap[first]!)) {
      first = right
    }
    if (first !== at) {
      swap(at, first)
      sink(first)
    }
  }
  const pop = (): Timer | undefined => {
    const top = heap[0]
    const end = heap.pop()
    if (heap.length > 0) {
      heap[0] = end!
      sink(0)
    }
    return top
  }
  return {
    add: (at: number, run: () => void) => {
      const timer: Timer = { at, order: count++, run, isCancelled: false }
      heap.push(timer)
      rise(heap.length - 1)
      return () => {
        timer.isCancelled = true
      }
    },
    next: (): Timer | undefined => {
      let timer = pop()
      while (timer?.isCancelled === true) {
        timer = pop()
      }
      return timer
    }
  }
}
