/**
 * Removes what turns have left beside an output that nobody knows of any more: a process may be frozen in front of the moment
 * in which it makes its part, and wake up, and be killed, when all others are through. `turnNames` decides.
 *
 * What cannot be listed or removed stays: nobody depends on it.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import { globalValue } from "effect/GlobalValue"
import { basename, dirname } from "node:path"
import type { LeftOver } from "./turnNames.js"
import { leftOvers } from "./turnNames.js"

export interface Asking {
  readonly fs: FileSystem.FileSystem
  readonly target: string
  readonly token: string
  /** The tokens of earlier turns that may still be needed. */
  readonly before: ReadonlyArray<string>
  readonly isOver: ((run: string) => Effect.Effect<boolean>) | undefined
}

/**
 * Removes what others have left whose run is over. Gives what removes the rest, once the turn that asks is stored and holds what
 * was committed: if the database fell back to an older copy, that may be nowhere else.
 */
export const sweepDirectory = ({ before, fs, isOver, target, token }: Asking): Effect.Effect<Effect.Effect<void>> =>
  Effect.gen(function*() {
    const names = yield* namesIn(fs, dirname(target))
    const { ofLine, ofOthers } = leftOvers(names, basename(target), token, before)
    const removed = (found: ReadonlyArray<LeftOver>) =>
      Effect.forEach(found, ({ name }) => {
        const path = target.slice(0, target.length - basename(target).length) + name
        return Effect.ignore(fs.remove(path, { recursive: true, force: true }))
      }, { discard: true })
    for (const run of new Set(ofOthers.map(({ run }) => run))) {
      if (isOver !== undefined && (yield* isOver(run))) {
        yield* removed(ofOthers.filter((other) => other.run === run))
      }
    }
    return removed(ofLine)
  })

/**
 * Whether a listing still counts that took so long and is so old: thousands of outputs in one directory, as partitions make
 * them, would else list it for most of their time. What it lacks is found by the next run. A few names cost nothing.
 *
 * @internal
 */
export const isStillGood = (count: number, tookMillis: number, ageMillis: number): boolean =>
  count > FEW && ageMillis < SHARE * Math.max(1, tookMillis)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const FEW = 500

/** How much longer than a listing the time is in which it counts. */
const SHARE = 50

const DIRECTORIES = 16

interface Listing {
  readonly names: ReadonlyArray<string>
  readonly at: number
  readonly took: number
}

const listings = globalValue(
  "effect-batch/file/listings",
  () => new WeakMap<FileSystem.FileSystem, Map<string, Listing>>()
)

const namesIn = (fs: FileSystem.FileSystem, directory: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.suspend(() => {
    const known = listings.get(fs) ?? new Map<string, Listing>()
    listings.set(fs, known)
    const last = known.get(directory)
    const begun = performance.now()
    if (last !== undefined && isStillGood(last.names.length, last.took, begun - last.at)) {
      return Effect.succeed(last.names)
    }
    return Effect.map(Effect.orElseSucceed(fs.readDirectory(directory), () => []), (names) => {
      const at = performance.now()
      if (known.size >= DIRECTORIES) {
        known.clear()
      }
      known.set(directory, { names, at, took: at - begun })
      return names
    })
  })
