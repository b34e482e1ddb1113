/**
 * Removes what turns have left beside an output that nobody knows of any more: a process may be frozen in front of the moment
 * in which it makes its part, and wake up, and be killed, when all others are through. `turnNames` decides.
 *
 * What cannot be listed or removed stays: nobody depends on it.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
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

/** Removes what others have left whose run is over. Gives what removes the rest, once the turn that asks is stored. */
export const sweepDirectory = ({ before, fs, isOver, target, token }: Asking): Effect.Effect<Effect.Effect<void>> =>
  Effect.gen(function*() {
    const directory = dirname(target)
    const names = yield* Effect.orElseSucceed(fs.readDirectory(directory), () => [])
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
