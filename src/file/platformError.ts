/**
 * Puts the platform's errors into words that say what is wrong with the file and what to do.
 */
import type * as PlatformError from "@effect/platform/Error"
import { FileError } from "./FileError.js"

/** @internal */
export const fromPlatformError =
  (path: string, action: "read" | "write") => (error: PlatformError.PlatformError): FileError => {
    const [reason, problem, hint] = explain(error, action)
    return new FileError({ path, action, reason, problem, hint })
  }

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Explanation = readonly [reason: FileError["reason"], problem: string, hint: string]

const explain = (error: PlatformError.PlatformError, action: "read" | "write"): Explanation => {
  if (error._tag === "BadArgument") {
    return ["Other", error.description ?? "the platform refuses the arguments", "Check the path."]
  }
  switch (error.reason) {
    case "NotFound":
      return action === "read"
        ? ["NotFound", "there is no such file", "Check the path and the working directory."]
        : ["NotFound", "its directory does not exist", "Create the directory first, or check the path."]
    case "PermissionDenied":
      return ["PermissionDenied", "permission denied", `Allow the user of this process to ${action} it.`]
    case "AlreadyExists":
      return ["AlreadyExists", "the file exists already", alreadyExistsHint]
    case "BadResource":
      return ["NotAFile", "it is not a regular file", "Give the path of a file."]
    default:
      return ["Other", error.description ?? error.message, "Run the job again when that is solved."]
  }
}

const alreadyExistsHint = "Remove it, choose another path, or set `ifExists` to \"overwrite\" or \"append\"."
