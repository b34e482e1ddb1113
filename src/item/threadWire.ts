/**
 * What goes between the main thread and those of `ItemProcessor.workerThreads`: only what a structured clone keeps. It
 * loads nothing, as threads start with it.
 */

/** Under which member of `workerData` a thread finds how it was started. */
export const KEY = "effect-batch/workerThreads"

/** - `progress`: shared memory that holds at which item of its unit the thread is, or {@link IDLE}.
 * - `data`: what the user gives to every thread.
 */
export interface Start {
  readonly progress: SharedArrayBuffer
  readonly data: unknown
}

export const IDLE = -1

/** The items of one message. */
export type Unit = ReadonlyArray<unknown>

/** The first message of a thread; all others are answers. */
export const ready = "ready"

/** One for each item of a unit, in its order. */
export type Answer =
  | { readonly _tag: "Output"; readonly value: unknown }
  | { readonly _tag: "Filtered" }
  | { readonly _tag: "Failed"; readonly error: EncodedError }
  | { readonly _tag: "Died"; readonly error: EncodedError }
  | { readonly _tag: "NotCloneable"; readonly problem: string }

/** What is kept of something that was thrown: `fields` are those of its own that can be cloned. */
export interface EncodedError {
  readonly tag: string | undefined
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly fields: { readonly [name: string]: unknown }
  readonly cause: EncodedError | undefined
}

/** How many causes behind causes are told. */
const DEPTH = 8

export const encodeError = (error: unknown, depth = DEPTH): EncodedError => {
  if (typeof error !== "object" || error === null) {
    const message = safely(() => String(error)) ?? "unknown"
    return { tag: undefined, name: "Error", message, stack: undefined, fields: {}, cause: undefined }
  }
  const text = (name: string): string | undefined => {
    const value = safely(() => (error as Record<string, unknown>)[name])
    return typeof value === "string" ? value : undefined
  }
  const cause = safely(() => (error as { readonly cause?: unknown }).cause)
  return {
    tag: text("_tag"),
    name: text("name") ?? "Error",
    message: text("message") ?? safely(() => JSON.stringify(error)) ?? "unknown",
    stack: text("stack"),
    fields: fieldsOf(error),
    cause: cause === undefined || depth === 0 ? undefined : encodeError(cause, depth - 1)
  }
}

/**
 * Where a value holds what cannot be cloned and what that is, or nothing if all of it can be. Own members are looked through
 * in their order, each object once.
 */
export const cloneProblem = (value: unknown): string | undefined => {
  const seen = new Set<unknown>()
  const find = (value: unknown, path: string): string | undefined => {
    const problem = reasonAgainst(value)
    // What was met before, and is blamed where that was, may hold what is looked through now.
    if (problem === undefined || seen.has(value)) {
      return undefined
    }
    if (typeof value === "object" && value !== null) {
      seen.add(value)
      for (const [name, member] of membersOf(value)) {
        const found = find(member, path === "" ? name : `${path}.${name}`)
        if (found !== undefined) {
          return found
        }
      }
    }
    return `${path === "" ? "" : `${path}: `}${problem}`
  }
  return find(value, "")
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const reasonAgainst = (value: unknown): string | undefined => {
  try {
    structuredClone(value)
    return undefined
  } catch (error) {
    // The message of V8 holds the whole text of a function.
    return typeof value === "function" || typeof value === "symbol"
      ? `a ${typeof value} can't be cloned`
      : firstLine(safely(() => (error as Error).message) ?? "can't be cloned")
  }
}

const firstLine = (text: string): string => {
  const [line = ""] = text.split("\n")
  return line.length > 200 ? `${line.slice(0, 200)}…` : line
}

const membersOf = (value: object): ReadonlyArray<readonly [string, unknown]> =>
  safely(() =>
    value instanceof Map
      ? [...value].flatMap(([key, member]) => [["a key", key], [String(key), member]] as const)
      : value instanceof Set
      ? [...value].map((member, index) => [String(index), member] as const)
      : Object.entries(value)
  ) ?? []

/** What every error has is told beside the fields. */
const COMMON = new Set(["_tag", "name", "message", "stack", "cause"])

const fieldsOf = (error: object): { readonly [name: string]: unknown } => {
  const fields = membersOf(error).filter(([name, value]) => !COMMON.has(name) && reasonAgainst(value) === undefined)
  return Object.fromEntries(fields)
}

const safely = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}
