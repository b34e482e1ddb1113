/**
 * What to do with the outputs of a chunk, as a pure machine: write them together; when that is refused because of
 * an item that may be skipped, find the item by writing smaller and smaller ranges.
 *
 * The machine knows only how many outputs there are. Its laws, tested by properties: the ranges that commit and the
 * items that are skipped are disjoint, ascending, and together exactly all outputs; `done` never passes an output
 * that is neither written nor skipped, so it can be stored as the place where a restart goes on.
 */

/** Outputs from `from` up to, not including, `to`. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** How a refused range is searched: by halves, or each item alone for writers whose effects depend on the order. */
export type ScanOrder = "bisect" | "one-by-one"

/**
 * A range that waits for its turn. `whole` is written as it is, `suspect` holds a bad item and is halved first,
 * `each` is written item by item.
 */
interface Pending extends Range {
  readonly as: "whole" | "suspect" | "each"
}

export interface State {
  readonly mode: "Bulk" | "Scan"
  readonly order: ScanOrder
  /** Everything below is written or skipped. */
  readonly done: number
  /** What is written next. Absent when all is done. */
  readonly current: Range | undefined
  /** What comes behind `current`, in order. */
  readonly rest: ReadonlyArray<Pending>
  /** Those that are skipped without a try of their own: they are not among what is written. */
  readonly leftOut: ReadonlySet<number>
}

/**
 * - `committed`: the current range was written and its transaction committed.
 * - `refused`: it was rolled back because of an item in it that may be skipped.
 */
export type Event = "committed" | "refused"

/** `skip` names the item that the event proved to be bad. */
export interface Next {
  readonly state: State
  readonly skip: number | undefined
}

/** Starts with all outputs at once. */
export const start = (size: number, order: ScanOrder): State => ({
  mode: "Bulk",
  order,
  done: 0,
  current: size === 0 ? undefined : { from: 0, to: size },
  rest: [],
  leftOut: none
})

/** Goes on with a scan that was interrupted after `done` outputs (FTC-16). */
export const resume = (size: number, order: ScanOrder, done: number): State =>
  advance({
    mode: "Scan",
    order,
    done,
    current: undefined,
    rest: [{ from: done, to: size, as: unsearched(order) }],
    leftOut: none
  })

/** Writes the current range again without some of it, which are known to be bad and skipped already. */
export const leaveOut = (state: State, outputs: ReadonlyArray<number>): State => ({
  ...state,
  mode: "Scan",
  leftOut: new Set([...state.leftOut, ...outputs])
})

/** The outputs of the current range that are written, in their order. */
export const written = ({ current, leftOut }: State): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let output = current?.from ?? 0; output < (current?.to ?? 0); output++) {
    if (!leftOut.has(output)) {
      found.push(output)
    }
  }
  return found
}

/**
 * `at` is the output that the refusal names, if it names one: it is tried alone first. When it names a wrong one, that
 * costs some transactions more and changes nothing else.
 */
export const step = (state: State, event: Event, at?: number): Next => {
  const range = state.current
  if (range === undefined) {
    return { state, skip: undefined }
  }
  if (event === "committed") {
    return { state: advance({ ...state, done: range.to }), skip: undefined }
  }
  const scanning: State = { ...state, mode: "Scan" }
  return range.to - range.from === 1
    ? { state: advance({ ...scanning, done: range.to, rest: unsuspect(state.rest) }), skip: range.from }
    : { state: advance({ ...scanning, rest: [...search(state.order, range, at), ...state.rest] }), skip: undefined }
}

const none: ReadonlySet<number> = new Set()

const unsearched = (order: ScanOrder): Pending["as"] => order === "bisect" ? "whole" : "each"

const search = (order: ScanOrder, { from, to }: Range, at?: number): ReadonlyArray<Pending> => {
  if (order === "one-by-one") {
    return [{ from, to, as: "each" }]
  }
  if (at !== undefined && at >= from && at < to) {
    return [
      { from, to: at, as: "whole" },
      { from: at, to: at + 1, as: "whole" },
      { from: at + 1, to, as: "whole" }
    ]
  }
  const middle = from + Math.floor((to - from) / 2)
  return [{ from, to: middle, as: "whole" }, { from: middle, to, as: "suspect" }]
}

/** The item that was found explains why the ranges around it were refused. */
const unsuspect = (rest: ReadonlyArray<Pending>): ReadonlyArray<Pending> =>
  rest.map((range) => range.as === "suspect" ? { ...range, as: "whole" } : range)

/**
 * When the left half of a refused range was written, the bad item must be in the right half, so that one is halved at
 * once instead of being refused first.
 */
const advance = (state: State): State => {
  const [next, ...rest] = state.rest
  if (next === undefined) {
    return { ...state, current: undefined }
  }
  const { as, from, to } = next
  if (from === to) {
    return advance({ ...state, rest })
  }
  if (as === "each") {
    return { ...state, current: { from, to: from + 1 }, rest: [{ from: from + 1, to, as }, ...rest] }
  }
  return as === "suspect" && to - from > 1
    ? advance({ ...state, rest: [...search(state.order, next), ...rest] })
    : { ...state, current: { from, to }, rest }
}
