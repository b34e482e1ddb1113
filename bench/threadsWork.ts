/** What `threads` computes for an item: about a millisecond of it. */
import * as WorkerProcessor from "effect-batch/WorkerProcessor"

export const work = (id: number): { readonly id: number; readonly hash: number } => {
  let hash = id
  for (let round = 0; round < 300_000; round++) {
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) + round | 0
  }
  return { id, hash }
}

WorkerProcessor.serve(work)
