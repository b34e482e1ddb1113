/**
 * What a user is told when a writer keeps its hands off an output.
 */
import { FileError } from "./FileError.js"
import type { Refusal } from "./outputPlan.js"

/** `offset`: how many bytes were committed. */
export const refusal = (path: string, offset: number, reason: Refusal): FileError => {
  switch (reason._tag) {
    case "Replaced":
      return replaced(path)
    case "Damaged":
      return reason.size < offset
        ? new FileError({
          path,
          action: "write",
          reason: "Shortened",
          problem:
            `${offset} bytes of it were written and committed, but its part "${reason.name}" has only ${reason.size}`,
          hint: "Bring the part back, or abandon this execution and write it anew: going on would lose items."
        })
        : new FileError({
          path,
          action: "write",
          reason: "Replaced",
          problem: `its part "${reason.name}" no longer holds the ${offset} bytes that were written and committed`,
          hint: "Bring the part back, or abandon this execution and write it anew: going on would lose items."
        })
    case "Missing":
      return new FileError({
        path,
        action: "write",
        reason: "Shortened",
        problem:
          `${offset} bytes of it were written and committed, but neither a part nor the file holds them any more`,
        hint: "Bring the part back, or abandon this execution and write it anew: going on would lose items."
      })
  }
}

export const replaced = (path: string): FileError =>
  new FileError({
    path,
    action: "write",
    reason: "Replaced",
    problem: "another file was put there, or that file was changed, since this step began for the first time",
    hint: "Move that file to another place, and restart."
  })
