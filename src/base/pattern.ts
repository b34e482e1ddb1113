/**
 * Patterns over text: `*` stands for any run of characters, `?` for exactly one, everything else for itself. What
 * matches, which of two patterns says more, whether two can match the same text, and whether one is contained in the
 * other.
 *
 * A character is a code point. Matching never backtracks beyond the last `*`, so no pattern and no text can make it slow:
 * the time is bounded by the length of the text times that of the pattern.
 */

/** Whether the pattern matches the whole text. */
export const matches = (pattern: string, text: string): boolean =>
  pattern.includes("*") || pattern.includes("?") ? glob([...pattern], [...text]) : pattern === text

/**
 * Most specific first: more literal characters, then fewer `*`, then fewer `?`. Zero for two patterns of which neither
 * says more.
 */
export const compare = (self: string, that: string): -1 | 0 | 1 => {
  const [a, b] = [weigh(self), weigh(that)]
  return sign(b.literals - a.literals) || sign(a.stars - b.stars) || sign(a.questions - b.questions)
}

/** Whether some text matches both patterns. */
export const overlaps = (self: string, that: string): boolean => {
  const [a, b] = [[...self], [...that]]
  let reached = begin(b)
  for (const char of a) {
    reached = char === "*" ? overStar(reached) : overChar(b, reached, char)
  }
  return reached[b.length]!
}

/** Whether every text that matches `inner` matches `outer`. For definitions: the effort may double with each `*`. */
export const contains = (outer: string, inner: string): boolean => {
  const [a, b] = [[...inner], [...outer]]
  // All characters that neither names are alike.
  const letters = [...new Set([...a, ...b].filter((char) => char !== "*" && char !== "?")), ""]
  const pairs = new Map([["", [begin(a), begin(b)] as const]])
  for (const [inside, outside] of pairs.values()) {
    if (inside[a.length] === true && outside[b.length] !== true) {
      return false
    }
    for (const letter of letters) {
      const next = [overChar(a, inside, letter), overChar(b, outside, letter)] as const
      pairs.set(next.map((reached) => reached.map(Number).join("")).join(), next)
    }
  }
  return true
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const glob = (pattern: ReadonlyArray<string>, word: ReadonlyArray<string>): boolean => {
  let p = 0
  let w = 0
  let star = -1
  let resume = 0
  while (w < word.length) {
    const place = pattern[p]
    if (place === "*") {
      star = p++
      resume = w
    } else if (place === "?" || (place !== undefined && place === word[w])) {
      p++
      w++
    } else if (star >= 0) {
      p = star + 1
      w = ++resume
    } else {
      return false
    }
  }
  while (pattern[p] === "*") {
    p++
  }
  return p === pattern.length
}

const weigh = (pattern: string) => {
  let [literals, stars, questions] = [0, 0, 0]
  for (const char of pattern) {
    if (char === "*") {
      stars++
    } else if (char === "?") {
      questions++
    } else {
      literals++
    }
  }
  return { literals, stars, questions }
}

const sign = (n: number): -1 | 0 | 1 => n < 0 ? -1 : n > 0 ? 1 : 0

/** Which places of a pattern can be reached: behind how many of its characters. */
type Reached = ReadonlyArray<boolean>

const begin = (pattern: ReadonlyArray<string>): Reached => closed(pattern, [true, ...pattern.map(() => false)])

/** From each reached place of the pattern on, a `*` may also stand for nothing. */
const closed = (pattern: ReadonlyArray<string>, reached: Array<boolean>): Reached => {
  pattern.forEach((place, at) => {
    if (place === "*" && reached[at]) {
      reached[at + 1] = true
    }
  })
  return reached
}

const overStar = (reached: Reached): Reached => {
  const first = reached.indexOf(true)
  return reached.map((_, at) => first >= 0 && at >= first)
}

const overChar = (pattern: ReadonlyArray<string>, reached: Reached, char: string): Reached => {
  const next = reached.map(() => false)
  pattern.forEach((place, at) => {
    if (!reached[at]) {
      return
    }
    if (place === "*") {
      next[at] = true
    } else if (place === "?" || char === "?" || place === char) {
      next[at + 1] = true
    }
  })
  return closed(pattern, next)
}
