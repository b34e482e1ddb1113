/**
 * Which columns the values of a statement are for, told from its text: those of `insert into … values (…)` and `update … set …`
 * that stand alone in their places. What is an expression is for nobody to tell.
 */
import type { TableName } from "./identifiers.js"

/**
 * The place of a bound value: `row` counts the tuples of an insert.
 *
 * @internal
 */
export interface Target {
  readonly column: string
  readonly row: number | undefined
}

/** @internal */
export interface Targets {
  readonly table: TableName
  /** By the number of the parameter, counted from 0. */
  readonly byParameter: ReadonlyMap<number, Target>
}

/**
 * Finds the targets, or nothing in statements of other forms. Names without quotes are in small letters then, as PostgreSQL
 * takes them.
 *
 * @internal
 */
export const targetsOf = (text: string): Targets | undefined => {
  const scanner = new Scanner(text)
  if (scanner.skip("insert")) {
    if (scanner.skip("or")) {
      scanner.next()
    }
    return scanner.skip("into") ? inserted(scanner) : undefined
  }
  if (scanner.skip("replace")) {
    return scanner.skip("into") ? inserted(scanner) : undefined
  }
  if (scanner.skip("update")) {
    scanner.skip("only")
    return updated(scanner)
  }
  return undefined
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Token {
  readonly kind: "word" | "name" | "parameter" | "sign" | "other"
  readonly text: string
  /** Of a parameter. */
  readonly number: number
}

const pattern =
  /\s+|--[^\n]*|\/\*[^]*?\*\/|"((?:[^"]|"")+)"|'(?:[^']|'')*'|\$(\d+)|\?(\d*)|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|[^]/y

class Scanner {
  private at = 0
  private parameters = 0
  private ahead: Token | undefined

  constructor(private readonly text: string) {}

  peek(): Token | undefined {
    this.ahead = this.ahead ?? this.read()
    return this.ahead
  }

  next(): Token | undefined {
    const token = this.peek()
    this.ahead = undefined
    return token
  }

  skip(text: string): boolean {
    const token = this.peek()
    const found = token !== undefined && token.kind !== "name" && token.text === text
    if (found) {
      this.ahead = undefined
    }
    return found
  }

  name(): string | undefined {
    const token = this.peek()
    return token?.kind === "word" || token?.kind === "name" ? this.next()!.text : undefined
  }

  private read(): Token | undefined {
    while (this.at < this.text.length) {
      pattern.lastIndex = this.at
      const found = pattern.exec(this.text)!
      this.at = pattern.lastIndex
      const [text, quoted, dollar, question, word] = found
      if (quoted !== undefined) {
        return { kind: "name", text: quoted.replaceAll("\"\"", "\""), number: 0 }
      }
      if (dollar !== undefined || question !== undefined) {
        const number = Number(dollar ?? question) || this.parameters + 1
        this.parameters = Math.max(this.parameters, number)
        return { kind: "parameter", text, number: number - 1 }
      }
      if (word !== undefined) {
        return { kind: "word", text: word.toLowerCase(), number: 0 }
      }
      if (!/^(?:\s|--|\/\*)/.test(text)) {
        return { kind: /^[(),.=;]$/.test(text) ? "sign" : "other", text, number: 0 }
      }
    }
    return undefined
  }
}

const tableOf = (scanner: Scanner): TableName | undefined => {
  const first = scanner.name()
  const second = first !== undefined && scanner.skip(".") ? scanner.name() : undefined
  return first === undefined
    ? undefined
    : second === undefined
    ? { schema: undefined, table: first }
    : { schema: first, table: second }
}

const inserted = (scanner: Scanner): Targets | undefined => {
  const table = tableOf(scanner)
  if (scanner.skip("as")) {
    scanner.next()
  }
  const columns = table === undefined || !scanner.skip("(") ? undefined : columnsIn(scanner)
  if (table === undefined || columns === undefined) {
    return undefined
  }
  if (scanner.skip("overriding")) {
    scanner.next()
    scanner.skip("value")
  }
  if (!scanner.skip("values")) {
    return undefined
  }
  const byParameter = new Map<number, Target>()
  let row = 0
  do {
    if (!scanner.skip("(")) {
      return undefined
    }
    for (const [index, parameter] of alone(scanner).entries()) {
      if (parameter !== undefined && columns[index] !== undefined) {
        byParameter.set(parameter, { column: columns[index], row })
      }
    }
    row++
  } while (scanner.skip(","))
  return { table, byParameter }
}

const columnsIn = (scanner: Scanner): ReadonlyArray<string> | undefined => {
  const columns: Array<string> = []
  for (;;) {
    const name = scanner.name()
    if (name === undefined) {
      return undefined
    }
    columns.push(name)
    if (scanner.skip(")")) {
      return columns
    }
    if (!scanner.skip(",")) {
      return undefined
    }
  }
}

/** The parameters of a tuple that stand alone in their places; behind its bracket then. */
const alone = (scanner: Scanner): ReadonlyArray<number | undefined> => {
  const found: Array<number | undefined> = []
  let place: ReadonlyArray<Token> = []
  let depth = 0
  for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
    if (depth === 0 && token.kind === "sign" && (token.text === "," || token.text === ")")) {
      found.push(place.length === 1 && place[0]!.kind === "parameter" ? place[0]!.number : undefined)
      place = []
      if (token.text === ")") {
        return found
      }
      continue
    }
    depth += token.kind !== "sign" ? 0 : token.text === "(" ? 1 : token.text === ")" ? -1 : 0
    // What is no single token is not looked at.
    place = place.length < 2 ? [...place, token] : place
  }
  return found
}

const ends = new Set(["where", "from", "returning", ";"])

const updated = (scanner: Scanner): Targets | undefined => {
  const table = tableOf(scanner)
  scanner.skip("as")
  if (table === undefined || !(scanner.skip("set") || (scanner.name() !== undefined && scanner.skip("set")))) {
    return undefined
  }
  const byParameter = new Map<number, Target>()
  for (;;) {
    const column = scanner.name()
    if (column === undefined || !scanner.skip("=")) {
      return { table, byParameter }
    }
    let value: Token | undefined
    let length = 0
    let depth = 0
    for (let token = scanner.peek(); token !== undefined; token = scanner.peek()) {
      const isEnd = depth === 0 &&
        ((token.kind === "sign" && token.text === ",") || (token.kind !== "name" && ends.has(token.text)))
      if (isEnd) {
        break
      }
      depth += token.kind !== "sign" ? 0 : token.text === "(" ? 1 : token.text === ")" ? -1 : 0
      value = token
      length++
      scanner.next()
    }
    if (length === 1 && value!.kind === "parameter") {
      byParameter.set(value!.number, { column, row: undefined })
    }
    if (!scanner.skip(",")) {
      return { table, byParameter }
    }
  }
}
