/**
 * Decides how a writer gets at its output when it begins or goes on: whose part it takes, whether it has to copy it, and
 * when it must keep its hands off.
 *
 * A part is a file beside the output that holds what one writer, in one turn, has written. The checkpoint names the turn,
 * the committed length and a checksum. A writer that was frozen in its turn may wake up at any time and write into its
 * part, cut it, or rename it to the name of the output. So who comes after it first takes the name away, with a rename to
 * a name of its own; what the other one does from then on meets a file that nobody reads, or a name that is gone.
 *
 * Two orders make this safe. A turn is stored before its writer touches any file: whoever reads a checkpoint knows every
 * name that writers before it could have used, and a writer knows no name of those that come after it. And a commit lies
 * between the moment in which a part comes to be and its rename to the name of the output.
 */
import * as Schema from "effect/Schema"
import { Json } from "../base/json.js"
import { markOf } from "./turnNames.js"

/** One writer at the output, from its opening to its end. */
export const Turn = Schema.Struct({
  token: Schema.String,
  /** The process. */
  owner: Schema.String
})

export type Turn = typeof Turn.Type

/** A file as it stood at a name. */
export const Identity = Schema.Struct({
  inode: Schema.NullOr(Schema.Number),
  size: Schema.Number,
  modified: Schema.NullOr(Schema.Number)
})

export type Identity = typeof Identity.Type

export const Part = Schema.Struct({
  ...Turn.fields,
  /** Earlier turns that may have left files behind, the latest first. */
  before: Schema.Array(Turn),
  /** What stood at the name of the output when the first turn began. */
  found: Schema.NullOr(Identity),
  /** The name of the output, if the path was a link to it. */
  target: Schema.optionalWith(Schema.String, { exact: true })
})

export type Part = typeof Part.Type

/** What a file writer stores with each checkpoint. */
export const State = Schema.Struct({
  /** Bytes that are committed. */
  offset: Schema.NonNegativeInt,
  items: Schema.NonNegativeInt,
  memo: Json,
  /** Their checksum; version 0.1 had none. */
  digest: Schema.optionalWith(Schema.String, { exact: true }),
  /**
   * What is going to stand behind these bytes if nothing else is written, stored before the output gets its name: asked again,
   * a footer may be another one, and the output would look like the file of somebody else.
   */
  end: Schema.optionalWith(Schema.Struct({ size: Schema.NonNegativeInt, digest: Schema.String }), { exact: true }),
  /** Absent for a writer that writes in place, which version 0.1 always did. */
  part: Schema.optionalWith(Part, { exact: true })
})

export type State = typeof State.Type

/** The state of a turn that goes on behind another one. */
export const nextTurn = (state: State, turn: Turn, found: Identity | null, target: string | undefined): State => {
  const { part } = state
  return {
    ...state,
    part: {
      ...turn,
      before: part === undefined ? [] : [{ token: part.token, owner: part.owner }, ...part.before],
      found: part === undefined ? found : part.found,
      ...(part?.target ?? target) === undefined ? {} : { target: part?.target ?? target! }
    }
  }
}

/** The line of the turns that are behind a state, if it has any that say it. */
export const lineOf = ({ part }: State): string | undefined => part === undefined ? undefined : markOf(part.token)?.line

/** The state behind bytes that were written: it does not know yet how the output is going to end. */
export const written = (
  { end: _, ...state }: State,
  change: { readonly offset: number; readonly items: number; readonly memo: Json; readonly digest: string }
): State => ({ ...state, ...change })

/** What stands at one of the names of a turn. */
export interface Standing {
  readonly name: string
  readonly size: number
  /** Whether it begins with what was committed. */
  readonly isIntact: boolean
  /** Whether it is the part of the turn that asks. */
  readonly isMine: boolean
  /** Whether nobody can write to it any more. */
  readonly isLetGo: boolean
}

export interface Situation {
  /** How many bytes were committed. */
  readonly offset: number
  /** Whether items are among them, and not only what was there before. */
  readonly hasItems: boolean
  /** Whether anybody had a turn before. */
  readonly isResumed: boolean
  readonly parts: ReadonlyArray<Standing>
  /** What stands at the name of the output. */
  readonly output: {
    /** Whether it stood there when the first turn began. */
    readonly isUntouched: boolean
    /** Everything that belongs there; what was committed and nothing else; that and then something else. */
    readonly holds: "all" | "committed" | "beginning" | "other"
  } | undefined
}

export type Decision =
  /** Nothing was written yet. */
  | { readonly _tag: "Create" }
  | { readonly _tag: "Keep"; readonly name: string }
  /** The writer of the part is gone, so it changes its owner. */
  | { readonly _tag: "Rename"; readonly name: string }
  /** The writer of the part may wake up: its name is taken away, its content copied. */
  | { readonly _tag: "Copy"; readonly name: string }
  /** What was committed is the beginning of the output: that of an earlier turn, or a file that is appended to. */
  | { readonly _tag: "CopyOutput" }
  /** An earlier turn has come to its end. */
  | { readonly _tag: "Adopt" }
  | { readonly _tag: "Refuse"; readonly reason: Refusal }

export type Refusal =
  /** Another file was put at the name of the output. */
  | { readonly _tag: "Replaced" }
  /** The part is there, but does not hold any more what was committed. */
  | { readonly _tag: "Damaged"; readonly name: string; readonly size: number }
  | { readonly _tag: "Missing" }

export const decide = ({ hasItems, isResumed, offset, output, parts }: Situation): Decision => {
  const isReplaced = output !== undefined && !output.isUntouched
  if (isReplaced && isResumed && output.holds === "all") {
    return { _tag: "Adopt" }
  }
  const part = parts.find(({ isIntact }) => isIntact)
  if (part !== undefined) {
    return isReplaced ? refuse({ _tag: "Replaced" }) : { _tag: wayTo(part), name: part.name }
  }
  if (output !== undefined && isResumed && output.holds === "all") {
    return { _tag: "Adopt" }
  }
  if (offset === 0) {
    return isReplaced ? refuse({ _tag: "Replaced" }) : { _tag: "Create" }
  }
  if (output !== undefined && isSource(output, hasItems)) {
    return { _tag: "CopyOutput" }
  }
  const [damaged] = parts
  return refuse(
    damaged !== undefined
      ? { _tag: "Damaged", name: damaged.name, size: damaged.size }
      : isReplaced
      ? { _tag: "Replaced" }
      : { _tag: "Missing" }
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/**
 * Where items stand that were committed, the output is that of an earlier turn, of whose end a database may have forgotten that
 * has failed over to an older copy. Where only what was there before stands, others may have appended to it.
 */
const isSource = ({ holds, isUntouched }: NonNullable<Situation["output"]>, hasItems: boolean): boolean =>
  holds === "all" || holds === "committed" || (holds === "beginning" && (isUntouched || hasItems))

const refuse = (reason: Refusal): Decision => ({ _tag: "Refuse", reason })

const wayTo = ({ isLetGo, isMine }: Standing): "Keep" | "Rename" | "Copy" =>
  isMine ? "Keep" : isLetGo ? "Rename" : "Copy"
