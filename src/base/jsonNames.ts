/**
 * Names that an object of JSON has twice: `JSON.parse` keeps the last of the values, and drops the others without a word
 * (OWN-24).
 */

/**
 * A name that some object in the text has twice, if there is one. The text is valid JSON, and `value` what it was parsed to.
 *
 * Every member has a colon behind its name, so as many colons as members leave nothing to look for; only texts that have
 * colons inside of strings are read once more.
 *
 * @internal
 */
export const repeated = (text: string, value: unknown): string | undefined => {
  const found = members(value)
  return colons(text) === found || colonsOutside(text) === found ? undefined : firstRepeated(text)
}

/**
 * The index behind the string whose first quote is at `quote`.
 *
 * @internal
 */
export const endOfString = (text: string, quote: number): number => {
  for (let at = text.indexOf("\"", quote + 1); at >= 0; at = text.indexOf("\"", at + 1)) {
    let before = at - 1
    while (text[before] === "\\") {
      before--
    }
    if ((at - before) % 2 === 1) {
      return at + 1
    }
  }
  return text.length
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// A stack of its own, as texts may be nested more deeply than calls.
const members = (value: unknown): number => {
  const open: Array<unknown> = [value]
  let count = 0
  while (open.length > 0) {
    const next = open.pop()
    if (Array.isArray(next)) {
      for (let i = 0; i < next.length; i++) {
        if (typeof next[i] === "object") {
          open.push(next[i])
        }
      }
    } else if (typeof next === "object" && next !== null) {
      for (const name in next) {
        const member = (next as Record<string, unknown>)[name]
        count++
        if (typeof member === "object") {
          open.push(member)
        }
      }
    }
  }
  return count
}

const colons = (text: string): number => {
  let count = 0
  for (let at = text.indexOf(":"); at >= 0; at = text.indexOf(":", at + 1)) {
    count++
  }
  return count
}

/** Shows each bracket, colon and string outside of strings, until it is told to stop. */
const walk = (text: string, see: (from: number, to: number) => boolean): void => {
  const mark = /["{}[\]:]/g
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    const end = found[0] === "\"" ? endOfString(text, found.index) : found.index + 1
    if (see(found.index, end)) {
      return
    }
    mark.lastIndex = end
  }
}

const colonsOutside = (text: string): number => {
  let count = 0
  walk(text, (from) => {
    count += text[from] === ":" ? 1 : 0
    return false
  })
  return count
}

const firstRepeated = (text: string): string | undefined => {
  const open: Array<Set<string>> = []
  let last = ""
  let repeated: string | undefined
  walk(text, (from, to) => {
    switch (text[from]) {
      case ":": {
        const names = open.at(-1)!
        const name: string = JSON.parse(last)
        repeated = names.has(name) ? name : undefined
        names.add(name)
        return repeated !== undefined
      }
      case "{":
      case "[":
        open.push(new Set())
        return false
      case "}":
      case "]":
        open.pop()
        return false
      default:
        last = text.slice(from, to)
        return false
    }
  })
  return repeated
}
