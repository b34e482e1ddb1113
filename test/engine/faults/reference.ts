/**
 * What a fault tolerant chunk step does, written from the rules (SKIP, RETRY, FT6, FTC, with the choices D1 to D8) and as
 * plainly as possible: no transactions, no resources, no concurrency.
 */
import type { Kind, Outcome, Plan } from "./plan.js"
import { isRetryable, isSkippable, makeFaults } from "./plan.js"

class Failed {}

export const reference = ({ chunkSize, records, retries, scan, skipLimit }: Plan): Outcome => {
  const faults = makeFaults(records)
  const counts = { read: 0, write: 0, filter: 0, commit: 0, rollback: 0, readSkip: 0, processSkip: 0, writeSkip: 0 }
  const written: Array<number> = []
  const skipped: Array<string> = []
  let waiting: ReadonlyArray<
    { readonly index: number; readonly phase: "read" | "process" | "write"; readonly what: string }
  > = []
  /** What was read before the chunk at work, or with it once some of it is durable. */
  let durableReads = 0

  /** SKIP-4: one limit for all phases. Counted at once, reported when durable (D8). */
  const skip = (phase: "read" | "process" | "write", index: number, kind: Kind): void => {
    if (!isSkippable(kind) || counts.readSkip + counts.processSkip + counts.writeSkip >= skipLimit) {
      throw new Failed()
    }
    counts[`${phase}Skip`]++
    waiting = [...waiting, { index: phase === "read" ? -1 : index, phase, what: `${phase} ${index}` }]
  }

  /** RETRY-5: retries come first. */
  const inPlace = (place: "pull" | "process", index: number): Kind | undefined => {
    for (let retry = 0;; retry++) {
      const kind = faults(place, index)
      if (kind === undefined || !isRetryable(kind) || retry >= retries) {
        return kind
      }
    }
  }

  /** A chunk fills up to its size; what is skipped takes no place. Reading that fails is repeated after its skip. */
  const read = (from: number): { readonly inputs: ReadonlyArray<number>; readonly next: number } => {
    const inputs: Array<number> = []
    let next = from
    while (inputs.length < chunkSize && next < records.length) {
      const failing = inPlace("pull", next)
      if (failing !== undefined) {
        skip("read", next, failing)
        continue
      }
      const { bad } = records[next]!
      if (bad === undefined) {
        inputs.push(next)
        counts.read++
      } else {
        skip("read", next, bad)
      }
      next++
    }
    return { inputs, next }
  }

  const writeChunk = (inputs: ReadonlyArray<number>, processed: ReadonlyArray<number>): void => {
    const isFiltered = (index: number): boolean => records[index]!.filtered === true
    const outputs = processed.filter((index) => !isFiltered(index))
    let durable = -1
    const commit = (from: number, to: number): void => {
      const bound = to === outputs.length ? Infinity : outputs[to]!
      written.push(...outputs.slice(from, to))
      counts.write += to - from
      durableReads = counts.read
      counts.filter += processed.filter((index) => isFiltered(index) && index >= durable && index < bound).length
      skipped.push(...waiting.filter(({ index }) => index < bound).map(({ what }) => what))
      waiting = waiting.filter(({ index }) => index >= bound)
      counts.commit += bound === Infinity && inputs.length > 0 ? 1 : 0
      durable = bound
    }
    /** Whether a bad item was found. */
    const write = (from: number, to: number, scanning: boolean): boolean => {
      for (let retry = 0;; retry++) {
        let kind: Kind | undefined
        const index = outputs.slice(from, to).find((index) => (kind = faults("write", index)) !== undefined)
        if (index === undefined || kind === undefined) {
          commit(from, to)
          return false
        }
        counts.rollback++
        if (!(scanning && isSkippable(kind)) && isRetryable(kind) && retry < retries) {
          continue
        }
        if (!isSkippable(kind)) {
          throw new Failed()
        }
        if (to - from === 1) {
          skip("write", index, kind)
        } else if (scan === "bisect") {
          return bisect(from, to)
        } else {
          outputs.slice(from, to).forEach((_, i) => write(from + i, from + i + 1, true))
        }
        return true
      }
    }
    /** A bad item is known to be in the range: when the left half turns out to be clean, it is in the right one. */
    const bisect = (from: number, to: number): boolean => {
      const middle = from + Math.floor((to - from) / 2)
      const found = write(from, middle, true)
      return (found || to - middle === 1 ? write(middle, to, true) : bisect(middle, to)) || found
    }
    if (outputs.length > 0) {
      write(0, outputs.length, false)
    }
    if (durable !== Infinity) {
      commit(outputs.length, outputs.length)
    }
  }

  const process = (inputs: ReadonlyArray<number>): ReadonlyArray<number> =>
    inputs.filter((index) => {
      const kind = inPlace("process", index)
      if (kind !== undefined) {
        skip("process", index, kind)
      }
      return kind === undefined
    })

  let status = "COMPLETED"
  let writing = false
  try {
    for (let next = 0; next < records.length;) {
      const chunk = read(next)
      const processed = process(chunk.inputs)
      writing = true
      writeChunk(chunk.inputs, processed)
      writing = false
      next = chunk.next
    }
  } catch (error) {
    if (!(error instanceof Failed)) {
      throw error
    }
    status = "FAILED"
    // A failed write was rolled back already; a chunk that fails earlier counts as one that was (V6C-9).
    counts.rollback += writing ? 0 : 1
    // Stored counts are those of committed work (OWN-9).
    counts.read = durableReads
    waiting.forEach(({ phase }) => counts[`${phase}Skip`]--)
  }
  return { status, counts, written, skipped: skipped.sort() }
}
