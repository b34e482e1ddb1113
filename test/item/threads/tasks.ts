/** What the threads of the tests do: each item says itself what is to happen. It loads next to nothing, to start fast. */
import * as WorkerProcessor from "../../../src/item/WorkerProcessor.js"

/** A name of what the thread does with the item; by default it answers at once. */
export type Does = keyof typeof tasks

export interface Task {
  readonly id: number
  readonly does?: Does
}

class Rejected extends Error {
  readonly _tag = "Rejected"
  constructor(readonly limit: number) {
    super(`above ${limit}`)
  }
}

const answer = (id: number) => ({ id, square: id * id })

const tasks = {
  exit: () => process.exit(3),
  "exit later": (id: number) => {
    setImmediate(() => process.exit(4))
    return answer(id)
  },
  "throw outside": () => {
    setImmediate(() => {
      throw new Error("thrown outside")
    })
    return new Promise(() => {})
  },
  allocate: () => {
    for (const kept: Array<Array<number>> = [];;) {
      kept.push(new Array<number>(100_000).fill(kept.length))
    }
  },
  loop: () => {
    for (;;) {
      Math.random()
    }
  },
  hang: () => new Promise(() => {}),
  throw: () => {
    throw new RangeError("too much", { cause: new Error("the reason") })
  },
  "throw a string": () => {
    throw "only words"
  },
  reject: () => Promise.reject(new Rejected(10)),
  filter: () => WorkerProcessor.Filtered,
  promise: (id: number) => Promise.resolve(answer(id)),
  uncloneable: (id: number) => ({ id, square: { deep: [() => 1] } }),
  misshape: (id: number) => ({ id, square: "many" }),
  "fail at first": (id: number, data: unknown) => {
    if (Atomics.add(data as Int32Array, 0, 1) === 0) {
      throw new Rejected(1)
    }
    return answer(id)
  },
  /** Of which the first number is to become 100; the second says that it has begun to wait. */
  "wait for turns": (id: number, data: unknown) => {
    const turns = data as Int32Array
    Atomics.store(turns, 1, 1)
    for (let seen = Atomics.load(turns, 0); seen < 100; seen = Atomics.load(turns, 0)) {
      Atomics.wait(turns, 0, seen)
    }
    return answer(id)
  },
  data: (id: number, data: unknown) => ({ id, square: data })
}

WorkerProcessor.serve(({ does, id }: Task, data): WorkerProcessor.Result<unknown> =>
  does === undefined ? answer(id) : tasks[does](id, data)
)
