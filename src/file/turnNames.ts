/**
 * The names of what a turn leaves beside its output: they say whose it is.
 *
 * A turn belongs to a line: the turns of one step from its first opening to its end, restarts included, one of which holds
 * the step at any time. And it belongs to a run, the execution that began it. What else stands in the directory was put
 * there by people or by other programs.
 */

/** The names that a turn may use, besides that of the output. */
export interface Names {
  /** What it writes. */
  readonly part: string
  /** What it took from an earlier turn, until it has copied that. */
  readonly old: string
  /** A directory into which it moves the output when that is to go. */
  readonly gone: string
}

export const namesOf = (target: string, token: string): Names => ({
  part: `${target}.${token}.part`,
  old: `${target}.${token}.old`,
  gone: `${target}.${token}.gone`
})

export interface Mark {
  /** Eight hexadecimal digits, drawn at random for the first turn. */
  readonly line: string
  /** The name of the execution in small letters, digits and underscores; empty if nobody says. */
  readonly run: string
  /** Eight hexadecimal digits, drawn at random for each turn. */
  readonly turn: string
}

export const tokenOf = ({ line, run, turn }: Mark): string => [line, run, turn].filter((part) => part !== "").join("_")

/** The same for an output of that name. It does not name the run where the name of the part would be too long for a directory. */
export const tokenBeside = (base: string, mark: Mark): string => {
  const token = tokenOf(mark)
  return Buffer.byteLength(namesOf(base, token).part) > LONGEST_NAME ? tokenOf({ ...mark, run: "" }) : token
}

/** None for what is not the token of a turn. */
export const markOf = (token: string): Mark | undefined => {
  const [, line, run, turn] = TOKEN.exec(token) ?? []
  return line === undefined ? undefined : { line, run: run ?? "", turn: turn! }
}

/** What another turn has left beside the output. */
export interface LeftOver {
  /** In the directory of the output. */
  readonly name: string
  readonly token: string
  readonly run: string
}

export interface LeftOvers {
  /**
   * Of the line of the turn that asks, and not known to it. They go as soon as it is stored that this turn holds the step, and
   * it has what was committed, which one of them may have taken: then they belong to others that have lost it, also if their
   * turns were stored in a database which failed over to an older copy. Not before: the turn that asks may be the one that has
   * lost it, and they may be what its successor works on.
   */
  readonly ofLine: ReadonlyArray<LeftOver>
  /** Of other lines, which may be at work, or wait for a restart: they go if it is known that their run is over. */
  readonly ofOthers: ReadonlyArray<LeftOver>
}

/**
 * What of the names in the directory of an output may go, and what has to be known first.
 *
 * @param base the name of the output in its directory
 * @param known the tokens of the turn that asks and of those before it, which know themselves what they still need
 */
export const leftOvers = (
  names: ReadonlyArray<string>,
  base: string,
  token: string,
  known: ReadonlyArray<string>
): LeftOvers => {
  const line = markOf(token)?.line
  const ofLine: Array<LeftOver> = []
  const ofOthers: Array<LeftOver> = []
  for (const name of names) {
    const found = tokenIn(name, base)
    const mark = found === undefined ? undefined : markOf(found)
    if (mark === undefined || found === token || known.includes(found!)) {
      continue
    }
    if (mark.line === line) {
      ofLine.push({ name, token: found!, run: mark.run })
    } else if (mark.run !== "") {
      ofOthers.push({ name, token: found!, run: mark.run })
    }
  }
  return { ofLine, ofOthers }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Bytes that the file systems of most machines allow. */
const LONGEST_NAME = 255

const TOKEN = /^([0-9a-f]{8})_(?:([0-9a-z_]+)_)?([0-9a-f]{8})$/

const tokenIn = (name: string, base: string): string | undefined =>
  name.startsWith(`${base}.`) ? /^([^.]+)\.(?:part|old|gone)$/.exec(name.slice(base.length + 1))?.[1] : undefined
