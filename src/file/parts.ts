/**
 * Writes to a part, and gives it the name of the output when it is complete: see `outputPlan`.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { basename, dirname } from "node:path"
import * as OutputOwner from "../ports/outputOwner.js"
import { existing, leadAt } from "./appending.js"
import { Digest } from "./digest.js"
import { endings } from "./endings.js"
import { identityOf, infoOf, isSame, modeOf, openFile, OWNER_WRITES } from "./fileBytes.js"
import { FileError } from "./FileError.js"
import type { Format, Hold, Place, SinkOptions } from "./fileSink.js"
import { sweepDirectory } from "./leftOvers.js"
import type { Claimed, Output } from "./outputClaim.js"
import { claim, copyOutput, giveUp, letGo, partOf, recognised, remove, sweep } from "./outputClaim.js"
import * as Plan from "./outputPlan.js"
import { replaced } from "./outputRefusal.js"
import { fromPlatformError } from "./platformError.js"
import { namesOf, tokenBeside } from "./turnNames.js"

/** @internal */
export const open = <A>(
  fs: FileSystem.FileSystem,
  path: string,
  format: Format<A>,
  options: SinkOptions,
  stored: Option.Option<Plan.State>
): Effect.Effect<Place, FileError, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const { isGone, isOver, owner, run = "" } = yield* OutputOwner.OutputOwner
    const line = Option.getOrUndefined(Option.flatMapNullable(stored, Plan.lineOf)) ?? drawn()
    const target = Option.getOrUndefined(stored)?.part?.target ?? (yield* targetOf(fs, path))
    const token = tokenBeside(basename(target), { line, run, turn: drawn() })
    // In front of the file, and so after it is closed.
    yield* Scope.addFinalizer(scope, Effect.sync(() => letGo(token)))
    const found = yield* standing(fs, path, target)
    const begun = Option.isSome(stored) ? stored.value : yield* fresh(fs, path, format, options, found)
    const opened = Plan.nextTurn(begun, { token, owner }, found, target === path ? undefined : target)
    const output: Output = {
      fs,
      path,
      target,
      token,
      scope,
      fsync: options.fsync ?? true,
      mayRemove: options.deleteIfEmpty === true && opened.offset === 0,
      endings: (state) => endings(format, options, state),
      isGone
    }
    const before = partOf(opened).before.map((turn) => turn.token)
    const sweepLine = yield* sweepDirectory({ fs, target, token, before, isOver })
    const held = (claiming: Effect.Effect<Claimed, FileError>): Effect.Effect<Hold, FileError> =>
      Effect.flatMap(claiming, (claimed) =>
        Effect.map(
          claimed.file === undefined
            ? Effect.succeed("")
            : leadAt(path, format, options, claimed.file, claimed.state.offset),
          (lead) => ({ ...claimed, lead })
        ))
    return {
      state: yield* recognised(output, opened),
      claim: (state, isStored) => held(claim(output, state, isStored)),
      reopen: (state) => held(copyOutput(output, state)),
      publish: (state) => publish(output, state),
      discard: (state) => discard(output, state),
      settled: sweepLine,
      giveUp: (state) => giveUp(output, state, partOf(opened).found)
    }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const drawn = (): string => randomBytes(4).toString("hex")

/** What stands at the end of a link is written, not the link. */
const targetOf = (fs: FileSystem.FileSystem, path: string): Effect.Effect<string> =>
  Effect.orElseSucceed(
    Effect.flatMap(fs.readLink(path), () => fs.realPath(path)),
    () => path
  )

const standing = (
  fs: FileSystem.FileSystem,
  path: string,
  target: string
): Effect.Effect<Plan.Identity | null, FileError> =>
  Effect.flatMap(infoOf(fs, target), (info) =>
    Option.isSome(info) && info.value.type !== "File"
      ? Effect.fail(
        new FileError({
          path,
          action: "write",
          reason: "NotAFile",
          problem: "it is not a regular file",
          hint: "Give the path of a file; a device or a pipe can be written with `inPlace` and without `fsync`."
        })
      )
      : Effect.succeed(Option.getOrNull(Option.map(info, identityOf))))

const fresh = <A>(
  fs: FileSystem.FileSystem,
  path: string,
  format: Format<A>,
  { ifExists }: SinkOptions,
  found: Plan.Identity | null
): Effect.Effect<Plan.State, FileError> => {
  const state: Plan.State = { offset: 0, items: 0, memo: format.memo, digest: Digest.empty.text }
  if (found === null || found.size === 0 || ifExists === undefined || ifExists === "overwrite") {
    return Effect.succeed(state)
  }
  return ifExists === "fail"
    ? Effect.fail(
      new FileError({
        path,
        action: "write",
        reason: "AlreadyExists",
        problem: "the file exists already",
        hint: "Remove it, choose another path, or set `ifExists` to \"overwrite\" or \"append\"."
      })
    )
    : Effect.scoped(Effect.flatMap(openFile(fs, path, "r"), (file) => existing(path, format, file))).pipe(
      Effect.map(Option.match({ onNone: () => state, onSome: (existing) => existing.state }))
    )
}

/** Nothing but what stood there when the first turn began is replaced. */
const publish = (output: Output, state: Plan.State): Effect.Effect<void, FileError> =>
  Effect.gen(function*() {
    const { fs, path, target, token } = output
    const names = namesOf(target, token)
    yield* sweep(output, partOf(state).before)
    const mode = modeOf(yield* unlessReplaced(output, state))
    yield* mode === undefined || (mode & OWNER_WRITES) === OWNER_WRITES
      ? Effect.void
      : Effect.ignore(fs.chmod(names.part, mode))
    yield* Effect.mapError(fs.rename(names.part, target), (error) => {
      const known = fromPlatformError(path, "write")(error)
      return known.reason === "NotFound" ? taken(path) : known
    })
    yield* syncDirectory(output)
    yield* output.mayRemove ? remove(output, names.gone) : Effect.void
  })

const discard = (output: Output, state: Plan.State): Effect.Effect<void, FileError> =>
  Effect.gen(function*() {
    const { fs, path, target, token } = output
    const names = namesOf(target, token)
    yield* sweep(output, partOf(state).before)
    yield* unlessReplaced(output, state)
    yield* fs.rename(target, `${names.gone}/output`).pipe(
      Effect.mapError(fromPlatformError(path, "write")),
      Effect.catchIf((error) => error.reason === "NotFound", () => Effect.void)
    )
    yield* syncDirectory(output)
    yield* remove(output, names.part)
    yield* remove(output, names.gone)
  })

/** Gives what stands at the name of the output. */
const unlessReplaced = (
  { fs, path, target }: Output,
  state: Plan.State
): Effect.Effect<Option.Option<FileSystem.File.Info>, FileError> =>
  Effect.filterOrFail(
    infoOf(fs, target),
    (info) => Option.isNone(info) || isSame(partOf(state).found, identityOf(info.value)),
    () => replaced(path)
  )

/** So that a power failure does not bring the old name back; not every system lets a directory be synced. */
const syncDirectory = ({ fs, fsync, target }: Output): Effect.Effect<void> =>
  fsync
    ? Effect.ignore(Effect.scoped(Effect.flatMap(fs.open(dirname(target), { flag: "r" }), (file) => file.sync)))
    : Effect.void

const taken = (path: string) =>
  new FileError({
    path,
    action: "write",
    reason: "NotFound",
    problem: "its part has been taken away, as another process does that goes on with this execution",
    hint: "Look at the executions of the job: if none of them goes on, restart."
  })
