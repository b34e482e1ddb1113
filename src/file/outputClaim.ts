/**
 * Carries out what `outputPlan` decides: gets at the part of an earlier turn, or begins one.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import { globalValue } from "effect/GlobalValue"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { Digest } from "./digest.js"
import { digestOf, identityOf, infoOf, isSame, modeOf, openFile, OWNER_WRITES, readAt, sizeOf } from "./fileBytes.js"
import type { FileError } from "./FileError.js"
import * as Plan from "./outputPlan.js"
import { refusal } from "./outputRefusal.js"
import { fromPlatformError } from "./platformError.js"
import { namesOf } from "./turnNames.js"

/** An output that a writer works on in parts. */
export interface Output {
  readonly fs: FileSystem.FileSystem
  /** As the user gave it, for errors. */
  readonly path: string
  readonly target: string
  readonly token: string
  /** Where the part is closed. */
  readonly scope: Scope.Scope
  readonly fsync: boolean
  /** Whether the output is to be removed if there is nothing to write. */
  readonly mayRemove: boolean
  /** What may stand behind the bytes of a state if nothing else is written. */
  readonly endings: (state: Plan.State) => ReadonlyArray<Buffer>
  /** Whether the process of that name is known to be gone. */
  readonly isGone: (owner: string) => boolean
}

export interface Claimed {
  /** None while everything that was committed is at the name of the output already. */
  readonly file: FileSystem.File | undefined
  readonly state: Plan.State
  readonly digest: Digest
}

/**
 * Gives the part of this turn, cut to what was committed.
 * Uninterruptible, because a rename that goes on in the background would hit those who come next.
 *
 * As long as the turn is not stored, nobody would look under its names: then it takes nothing from others.
 */
export const claim = (output: Output, state: Plan.State, isStored: boolean): Effect.Effect<Claimed, FileError> =>
  Effect.uninterruptible(attempt(output, state, isStored, ATTEMPTS))

/**
 * Recognises an output that an earlier turn has put there, and notes it before the turn is stored: those who come next
 * must not take it for the file of somebody else. Changes nothing.
 */
export const recognised = (output: Output, state: Plan.State): Effect.Effect<Plan.State, FileError> =>
  Effect.gen(function*() {
    const part = partOf(state)
    const info = yield* infoOf(output.fs, output.target)
    const standing = Option.getOrNull(Option.map(info, identityOf))
    if (part.before.length === 0 || standing === null || isSame(part.found, standing)) {
      return state
    }
    const { _tag } = Plan.decide(yield* look(output, state))
    return _tag === "Adopt" || _tag === "CopyOutput" ? { ...state, part: { ...part, found: standing } } : state
  })

/** Begins the part with what is at the name of the output. */
export const copyOutput = (output: Output, state: Plan.State): Effect.Effect<Claimed, FileError> =>
  Effect.uninterruptible(
    Effect.flatMap(
      ownCopy(output, state, output.target),
      (claimed) =>
        Effect.map(infoOf(output.fs, output.target), (info) => ({
          ...claimed,
          state: { ...claimed.state, part: { ...partOf(state), found: Option.getOrNull(Option.map(info, identityOf)) } }
        }))
    )
  )

/**
 * Removes the part if nothing is committed of it, or if all that is stands in an output that was put there since the turn was
 * opened with `found` at the name: that of its successor.
 */
export const giveUp = (output: Output, state: Plan.State, found: Plan.Identity | null): Effect.Effect<void> => {
  const { gone, part } = namesOf(output.target, output.token)
  const isElsewhere = state.offset === 0 ? Effect.succeed(true) : Effect.gen(function*() {
    const info = yield* infoOf(output.fs, output.target)
    const isUntouched = Option.isNone(info) || isSame(found, identityOf(info.value))
    return !isUntouched && (yield* digestAt(output, state, output.target))?.digest !== undefined
  })
  const removed = Effect.forEach([part, gone], (name) => remove(output, name), { discard: true })
  return Effect.ignore(Effect.flatMap(isElsewhere, (is) => is ? removed : Effect.void))
}

/** Removes what earlier turns have left, which is known by their tokens; also what they have made after they lost. */
export const sweep = (output: Output, turns: ReadonlyArray<Plan.Turn>): Effect.Effect<void> =>
  Effect.forEach(turns, ({ token }) => {
    const { gone, old, part } = namesOf(output.target, token)
    return Effect.forEach([part, old, gone], (name) => remove(output, name), { discard: true })
  }, { discard: true })

export const remove = ({ fs }: Output, path: string): Effect.Effect<void> =>
  Effect.ignore(fs.remove(path, { recursive: true, force: true }))

/** Remembers, for this process, that nobody writes to the part of a turn any more. */
export const letGo = (token: string): void => {
  if (tokensLetGo.size >= MOST_LET_GO) {
    tokensLetGo.clear()
  }
  tokensLetGo.add(token)
}

export const partOf = (state: Plan.State): Plan.Part => state.part!

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** How often somebody else may change names between a look and a step. */
const ATTEMPTS = 20

const MOST_LET_GO = 10_000

const tokensLetGo = globalValue("effect-batch/file/letGo", () => new Set<string>())

const attempt = (
  output: Output,
  state: Plan.State,
  isStored: boolean,
  attempts: number
): Effect.Effect<Claimed, FileError> =>
  Effect.catchIf(
    Effect.flatMap(
      look(output, state),
      (seen) => isStored ? carryOut(output, state, seen) : carryOutApart(output, state, seen)
    ),
    (error) => error instanceof Vanished,
    () =>
      attempts > 0
        ? attempt(output, state, isStored, attempts - 1)
        : Effect.fail(refusal(output.path, state.offset, { _tag: "Missing" }))
  )

/** Somebody took a name away between the look and the step. */
class Vanished {
  readonly _tag = "Vanished"
}

interface Seen extends Plan.Situation {
  /** The checksum of what was committed, in the first file that holds it. */
  readonly digest: Digest
}

const carryOut = (output: Output, state: Plan.State, seen: Seen): Effect.Effect<Claimed, FileError | Vanished> => {
  const decision = Plan.decide(seen)
  const { old, part } = namesOf(output.target, output.token)
  const known = (flag: "wx+" | "r+") => mine(output, state, flag, seen.digest)
  switch (decision._tag) {
    case "Refuse":
      return Effect.flatMap(
        Effect.exists(seen.parts, ({ name }) => Effect.map(infoOf(output.fs, name), Option.isNone)),
        // What stands at the name of the output may be the part that stood there a moment ago.
        (isMoved) => Effect.fail(isMoved ? new Vanished() : refusal(output.path, state.offset, decision.reason))
      )
    case "Create":
      return Effect.zipRight(prepareRemoval(output), begun(output, known("wx+")))
    case "Keep":
      return begun(output, decision.name === part ? copiedBefore(output, known("r+")) : copied(output, state, old))
    case "Rename":
      return Effect.zipRight(take(output, decision.name, part), begun(output, known("r+")))
    case "Copy":
      return Effect.zipRight(take(output, decision.name, old), begun(output, copied(output, state, old)))
    case "CopyOutput":
      return begun(output, copyOutput(output, state))
    case "Adopt":
      return begun(output, Effect.succeed({ file: undefined, state, digest: seen.digest }))
  }
}

const carryOutApart = (output: Output, state: Plan.State, seen: Seen): Effect.Effect<Claimed, FileError | Vanished> => {
  const decision = Plan.decide(seen)
  switch (decision._tag) {
    case "Rename":
    case "Copy":
      return ownCopy(output, state, decision.name)
    case "CopyOutput":
      return copyOutput(output, state)
    case "Adopt":
      return Effect.succeed({ file: undefined, state, digest: seen.digest })
    default:
      return carryOut(output, state, seen)
  }
}

/** What was committed is safe: nothing of earlier turns is needed any more. Those that may wake up are remembered. */
const begun = (output: Output, claiming: Effect.Effect<Claimed, FileError>): Effect.Effect<Claimed, FileError> =>
  Effect.flatMap(claiming, (claimed) => {
    const part = partOf(claimed.state)
    const before = part.before.filter((turn) => !isLetGo(output, turn))
    return takeRemovals(output, part.before).pipe(
      Effect.zipRight(sweep(output, part.before)),
      Effect.as({ ...claimed, state: { ...claimed.state, part: { ...part, before } } })
    )
  })

const copied = (output: Output, state: Plan.State, from: string): Effect.Effect<Claimed, FileError> =>
  Effect.zipLeft(ownCopy(output, state, from), remove(output, from))

/** An attempt that failed may have copied the part, and not come to the sync, or to the end of what it had taken. */
const copiedBefore = (output: Output, claiming: Effect.Effect<OwnPart, FileError>): Effect.Effect<Claimed, FileError> =>
  Effect.zipLeft(synced(output, claiming), remove(output, namesOf(output.target, output.token).old))

const synced = (output: Output, claiming: Effect.Effect<OwnPart, FileError>): Effect.Effect<OwnPart, FileError> =>
  Effect.tap(claiming, ({ file }) => output.fsync ? platform(output, file.sync) : Effect.void)

/** The copy is what is checked: whoever still writes to the other file may do so while it is copied. */
const ownCopy = (output: Output, state: Plan.State, from: string): Effect.Effect<Claimed, FileError> =>
  Effect.gen(function*() {
    const { part } = namesOf(output.target, output.token)
    yield* remove(output, part)
    yield* platform(output, output.fs.copyFile(from, part))
    return yield* synced(output, mine(output, state, "r+"))
  })

type OwnPart = Claimed & { readonly file: FileSystem.File }

/** Opens the part of this turn, cut to what was committed. */
const mine = (
  output: Output,
  state: Plan.State,
  flag: "wx+" | "r+",
  known?: Digest
): Effect.Effect<OwnPart, FileError> =>
  Effect.gen(function*() {
    const { part } = namesOf(output.target, output.token)
    const file = yield* openPart(output, flag)
    if ((yield* sizeOf(part, file)) > state.offset) {
      yield* platform(output, file.truncate(state.offset))
    }
    const digest = known ?? Option.getOrUndefined(yield* digestOf(part, file, state.offset))
    return digest !== undefined && isCommitted(state, digest)
      ? { file, state, digest }
      : yield* Effect.fail(refusal(output.path, state.offset, { _tag: "Damaged", name: part, size: state.offset }))
  })

/**
 * With the permissions of the file that it is going to replace. Until then its owner may write it, whatever they say: else no
 * restart could go on with it.
 */
const openPart = (output: Output, flag: "wx+" | "r+"): Effect.Effect<FileSystem.File, FileError> => {
  const { part } = namesOf(output.target, output.token)
  const permitted = Effect.flatMap(infoOf(output.fs, output.target), (info) => {
    const mode = modeOf(info)
    return mode === undefined ? Effect.void : Effect.ignore(output.fs.chmod(part, mode | OWNER_WRITES))
  })
  const opened = Effect.mapError(
    Scope.extend(output.fs.open(part, { flag }), output.scope),
    fromPlatformError(output.path, "write")
  )
  // A copy has the permissions of what was copied.
  return flag === "r+" ? Effect.zipRight(permitted, opened) : Effect.zipLeft(opened, permitted)
}

const take = ({ fs, path }: Output, from: string, to: string): Effect.Effect<void, FileError | Vanished> =>
  Effect.mapError(fs.rename(from, to), (error) => {
    const known = fromPlatformError(path, "write")(error)
    return known.reason === "NotFound" ? new Vanished() : known
  })

/**
 * A file can be moved only into a directory that is there. So an output is removed by moving it into one, which those who
 * come next have taken away if they are in front.
 */
const prepareRemoval = (output: Output): Effect.Effect<void, FileError> =>
  output.mayRemove
    ? platform(output, output.fs.makeDirectory(namesOf(output.target, output.token).gone, { recursive: true }))
    : Effect.void

const takeRemovals = (output: Output, turns: ReadonlyArray<Plan.Turn>): Effect.Effect<void, FileError> =>
  Effect.zipRight(
    Effect.forEach(turns, ({ token }) => {
      const { gone } = namesOf(output.target, token)
      const removal = platform(output, output.fs.remove(gone, { recursive: true, force: true }))
      return Effect.catchAll(removal, () => removal)
    }, { discard: true }),
    turns.length > 0 ? prepareRemoval(output) : Effect.void
  )

// -- what is there ------------------------------------------------------------------------------------------------------

const look = (output: Output, state: Plan.State): Effect.Effect<Seen, FileError> =>
  Effect.gen(function*() {
    const { before, owner } = partOf(state)
    const parts: Array<Plan.Standing> = []
    for (const turn of [{ token: output.token, owner }, ...before]) {
      const { old, part } = namesOf(output.target, turn.token)
      for (const name of [part, old]) {
        const found = yield* digestAt(output, state, name)
        if (found === undefined) {
          continue
        }
        const standing = {
          name,
          size: found.size,
          isMine: turn.token === output.token,
          isLetGo: isLetGo(output, turn),
          isIntact: found.digest !== undefined
        }
        parts.push(standing)
        if (found.digest !== undefined) {
          return { parts, ...yield* lookAtOutput(output, state, found.digest) }
        }
      }
    }
    return { parts, ...yield* lookAtOutput(output, state, undefined) }
  })

interface Found {
  readonly size: number
  /** If what was committed is there. */
  readonly digest: Digest | undefined
  /** What stands behind it, up to one byte more than was asked for. */
  readonly tail: Buffer
}

const digestAt = (
  output: Output,
  state: Plan.State,
  name: string,
  tail = 0
): Effect.Effect<Found | undefined, FileError> =>
  Effect.scoped(Effect.gen(function*() {
    const file = yield* openFile(output.fs, name, "r")
    const size = yield* sizeOf(name, file)
    const digest = size < state.offset ? Option.none() : yield* digestOf(name, file, state.offset)
    return {
      size,
      digest: Option.getOrUndefined(Option.filter(digest, (digest) => isCommitted(state, digest))),
      tail: yield* readAt(name, file, state.offset, tail + 1)
    }
  })).pipe(Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeed(undefined)))

/** The output of yesterday need not be read if there is a part. */
const lookAtOutput = (
  output: Output,
  state: Plan.State,
  digest: Digest | undefined
): Effect.Effect<Omit<Seen, "parts">, FileError> =>
  Effect.gen(function*() {
    const { before, found } = partOf(state)
    const seen = {
      offset: state.offset,
      hasItems: state.items > 0,
      isResumed: before.length > 0,
      digest: digest ?? Digest.empty
    }
    const info = yield* infoOf(output.fs, output.target)
    if (Option.isNone(info)) {
      return { ...seen, output: undefined }
    }
    const isUntouched = isSame(found, identityOf(info.value))
    if (digest !== undefined && isUntouched) {
      return { ...seen, output: { isUntouched, holds: "other" } }
    }
    const endings = output.endings(state)
    const longest = Math.max(...endings.map(({ length }) => length), state.end?.size ?? 0)
    const standing = yield* digestAt(output, state, output.target, longest)
    if (standing?.digest === undefined) {
      return { ...seen, output: { isUntouched, holds: "other" } }
    }
    const isWhole = endings.some((end) => standing.tail.equals(end)) || isForeseen(state, standing.tail)
    const holds = isWhole ? "all" : standing.tail.length === 0 ? "committed" : "beginning"
    return { ...seen, digest: digest ?? standing.digest, output: { isUntouched, holds } }
  })

const isCommitted = ({ digest }: Plan.State, found: Digest): boolean => digest === undefined || digest === found.text

const isForeseen = ({ end }: Plan.State, bytes: Buffer): boolean =>
  end !== undefined && Digest.empty.add(bytes).text === end.digest

const isLetGo = ({ isGone }: Output, { owner, token }: Plan.Turn): boolean => tokensLetGo.has(token) || isGone(owner)

const platform = <A>(
  { path }: Output,
  effect: Effect.Effect<A, Parameters<ReturnType<typeof fromPlatformError>>[0]>
): Effect.Effect<A, FileError> => Effect.mapError(effect, fromPlatformError(path, "write"))
