/**
 * Wording shared by error messages: always one line, always naming the near miss.
 */

/**
 * Control characters, and those that turn the direction of text, in letters: `\u001b`, as JSON has them. Text of records
 * must not paint on a terminal or clear it. Line breaks and tabs stay.
 *
 * @internal
 */
export const visible = (text: string): string =>
  text.replace(
    /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

/** @internal */
export const oneLine = (text: string): string => visible(text.replace(/\s+/g, " ").trim())

/** @internal */
export const quoted = (names: ReadonlyArray<string>): string => names.map((name) => `"${name}"`).join(", ")

/** @internal */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/**
 * The known name that is most probably meant, if one is near enough.
 *
 * @internal
 */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const tolerance = Math.max(1, Math.floor(name.length / 3))
  let best: string | undefined
  let least = tolerance + 1
  for (const candidate of known) {
    const away = distance(simplified(name), simplified(candidate))
    if (away < least) {
      best = candidate
      least = away
    }
  }
  return best
}

/** @internal */
export const didYouMean = (name: string, known: ReadonlyArray<string>): string => {
  const near = nearest(name, known)
  return near === undefined ? "" : ` (did you mean "${near}"?)`
}

/**
 * What an error about a bad record says, without what to do: the record has been skipped already, or may not be.
 *
 * @internal
 */
export const withoutAdvice = (message: string): string =>
  message.replace(/ [A-Z][a-z ]*, or let the step skip "\w+"\./, "")

/**
 * The innermost message of an error: drivers wrap what happened in layers that only say that something did.
 *
 * @internal
 */
export const rootMessage = (error: unknown): string => {
  let message = typeof error === "string" ? error : ""
  let inner: unknown = error
  for (let depth = 0; depth < 10 && typeof inner === "object" && inner !== null; depth++) {
    if ("message" in inner && typeof inner.message === "string" && inner.message !== "") {
      message = inner.message
    }
    inner = "cause" in inner ? inner.cause : undefined
  }
  return oneLine(message)
}

/**
 * The name of an owner (`host:pid:…`) as people say it.
 *
 * @internal
 */
export const ownerInWords = (owner: string): string => {
  const [host, pid] = owner.split(":")
  return pid !== undefined && /^\d+$/.test(pid) ? `process ${pid} on ${host}` : owner
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** `business-date`, `business_date` and `businessDate` are the same intention. */
const simplified = (name: string): string => name.toLowerCase().replace(/[-_. ]/g, "")

/** Edits by rows: a letter too many, too few or wrong, or two that changed places. */
const distance = (self: string, that: string): number => {
  let beforePrevious: ReadonlyArray<number> = []
  let previous: ReadonlyArray<number> = Array.from({ length: that.length + 1 }, (_, index) => index)
  for (let i = 1; i <= self.length; i++) {
    const row = [i]
    for (let j = 1; j <= that.length; j++) {
      const substitution = previous[j - 1]! + (self[i - 1] === that[j - 1] ? 0 : 1)
      const isSwapped = i > 1 && j > 1 && self[i - 1] === that[j - 2] && self[i - 2] === that[j - 1]
      const swap = isSwapped ? beforePrevious[j - 2]! + 1 : Infinity
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution, swap))
    }
    beforePrevious = previous
    previous = row
  }
  return previous[that.length]!
}
