/**
 * What a database error means for a batch job: is it the row, the moment or the statement that is wrong?
 *
 * A pure function over what the drivers report: SQLSTATEs of PostgreSQL, result codes of SQLite and the network errors
 * of Node.
 */

/** @internal */
export const kinds = [
  "unique",
  "notNull",
  "check",
  "foreignKey",
  "dataType",
  "missingTable",
  "missingColumn",
  "serialization",
  "deadlock",
  "connection",
  "busy",
  "permission",
  "other"
] as const

/** @internal */
export type Kind = typeof kinds[number]

/** @internal */
export interface Classification {
  readonly kind: Kind
  /** The same statements may succeed when they run again. */
  readonly retryable: boolean
  /** One row is to blame: without it the others can be written. */
  readonly skippable: boolean
  /** The SQLSTATE, or the result code of SQLite, or the error code of Node. */
  readonly sqlState?: string | undefined
  readonly constraint?: string | undefined
  readonly table?: string | undefined
  readonly column?: string | undefined
  /** What the driver says. It may quote values of rows. */
  readonly detail?: string | undefined
}

/**
 * Classifies a `SqlError`, or the driver's error itself. Total: what it does not know is `other`, which is neither
 * retried nor skipped.
 *
 * @internal
 */
export const classify = (error: unknown): Classification => {
  const driver = driverError(error)
  const message = text(driver, "message") ?? ""
  const code = text(driver, "code")
  const kind = kindOf(code, message, text(driver, "name"))
  const names = kind === "other" ? {} : namesIn(message, kind)
  return {
    kind,
    retryable: retryable.has(kind),
    skippable: skippable.has(kind),
    sqlState: code,
    constraint: text(driver, "constraint") ?? names.constraint,
    table: text(driver, "table") ?? names.table,
    column: text(driver, "column") ?? names.column,
    detail: details(message, text(driver, "detail"))
  }
}

/**
 * Whether the database could not be reached, or not to the end: somebody else's row or statement is not to blame.
 *
 * @internal
 */
export const isOutOfReach = (error: unknown): boolean => classify(error).kind === "connection"

// internal

const retryable: ReadonlySet<Kind> = new Set(["serialization", "deadlock", "connection", "busy"])

const skippable: ReadonlySet<Kind> = new Set(["unique", "notNull", "check", "foreignKey", "dataType"])

const text = (error: unknown, key: string): string | undefined => {
  const value = typeof error === "object" && error !== null ? (error as Record<string, unknown>)[key] : undefined
  return typeof value === "string" && value !== "" ? value : undefined
}

// SqlError wraps the driver's error, a pool may wrap it once more; the innermost one that has a code is the truth.
const driverError = (error: unknown): unknown => {
  let current = error
  for (let depth = 0; depth < 8; depth++) {
    const cause = typeof current === "object" && current !== null ? (current as { cause?: unknown }).cause : undefined
    if (cause === undefined || cause === null || text(current, "code") !== undefined) {
      return current
    }
    current = cause
  }
  return current
}

const details = (message: string, detail: string | undefined): string | undefined => {
  const joined = detail === undefined ? message : `${message}: ${detail}`
  return joined === "" ? undefined : joined
}

const kindOf = (code: string | undefined, message: string, name: string | undefined): Kind => {
  if (code === undefined) {
    return withoutCode(message, name)
  }
  if (code.startsWith("SQLITE_")) {
    return sqliteKind(code, message)
  }
  // The text of the statement is not meant: this one is in a value.
  if (code === "42601" && /^syntax error in ts(?:vector|query)/.test(message)) {
    return "dataType"
  }
  return /^[0-9A-Z]{5}$/.test(code) && !nodeCodes.has(code) ?
    states[code] ?? classes[code.slice(0, 2)] ?? "other"
    : nodeCodes.has(code)
    ? "connection"
    : "other"
}

// pg reports a lost connection or an exhausted pool as a plain Error; better-sqlite3 refuses a parameter with a TypeError.
const withoutCode = (message: string, name: string | undefined): Kind => {
  if (/connection terminated|connection error|connect(ion)? timeout|trying to connect|not queryable/i.test(message)) {
    return "connection"
  }
  return (name === "TypeError" && message.includes("can only bind")) || (name === "RangeError" && tooBig.test(message))
    ? "dataType"
    : "other"
}

const tooBig = /BigInt|too big/i

const nodeCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH"
])

const states: Readonly<Record<string, Kind>> = {
  "21000": "unique",
  "23505": "unique",
  "23P01": "unique",
  "23502": "notNull",
  "23503": "foreignKey",
  "23001": "foreignKey",
  "25P03": "connection",
  "25006": "permission",
  "3D000": "other",
  "3F000": "missingTable",
  "40001": "serialization",
  "40003": "connection",
  "40P01": "deadlock",
  "42501": "permission",
  "42703": "missingColumn",
  "42P01": "missingTable",
  "44000": "check",
  "53300": "connection",
  "55006": "busy",
  "55P03": "busy",
  "57014": "busy",
  "57P01": "connection",
  "57P02": "connection",
  "57P03": "connection",
  "57P05": "connection"
}

const classes: Readonly<Record<string, Kind>> = {
  "08": "connection",
  "22": "dataType",
  "23": "check",
  "28": "permission"
}

const sqliteKind = (code: string, message: string): Kind => {
  const missing = /^no such (table|column)|has no column named/.exec(message)
  if (missing !== null) {
    return missing[1] === "table" ? "missingTable" : "missingColumn"
  }
  return sqliteCodes.find(([prefix]) => code.startsWith(prefix))?.[1] ?? "other"
}

// The first prefix that fits wins, so the particular ones come before the general ones.
const sqliteCodes: ReadonlyArray<readonly [string, Kind]> = [
  ["SQLITE_CONSTRAINT_UNIQUE", "unique"],
  ["SQLITE_CONSTRAINT_PRIMARYKEY", "unique"],
  ["SQLITE_CONSTRAINT_ROWID", "unique"],
  ["SQLITE_CONSTRAINT_NOTNULL", "notNull"],
  ["SQLITE_CONSTRAINT_FOREIGNKEY", "foreignKey"],
  ["SQLITE_CONSTRAINT_DATATYPE", "dataType"],
  ["SQLITE_CONSTRAINT", "check"],
  ["SQLITE_MISMATCH", "dataType"],
  ["SQLITE_TOOBIG", "dataType"],
  ["SQLITE_BUSY", "busy"],
  ["SQLITE_LOCKED", "busy"],
  ["SQLITE_READONLY", "permission"],
  ["SQLITE_PERM", "permission"],
  ["SQLITE_AUTH", "permission"]
]

interface Names {
  readonly table?: string | undefined
  readonly column?: string | undefined
  readonly constraint?: string | undefined
}

// Where the driver has no fields for them, the names stand in its message, in a few fixed forms.
const namesIn = (message: string, kind: Kind): Names => {
  const failed = /^(UNIQUE|NOT NULL|CHECK) constraint failed: (.+)$/.exec(message)
  if (failed !== null) {
    return failed[1] === "CHECK" ? { constraint: failed[2] } : qualified(failed[2]!)
  }
  const stored = /^cannot store \w+ value in \w+ column (.+)$/.exec(message)
  if (stored !== null) {
    return qualified(stored[1]!)
  }
  if (kind === "missingTable") {
    return { table: /^no such table: (.+)$/.exec(message)?.[1] ?? /relation "(.+)" does not exist/.exec(message)?.[1] }
  }
  if (kind === "missingColumn") {
    const sqlite = /^table (.+) has no column named (.+)$/.exec(message)
    return sqlite !== null
      ? { table: sqlite[1], column: sqlite[2] }
      : {
        column: /^no such column: (.+)$/.exec(message)?.[1] ?? /column "?(.+?)"? .*does not exist/.exec(message)?.[1]
      }
  }
  return {}
}

// `t.a, t.b`, or `index 'name'` for an index over expressions.
const qualified = (target: string): Names => {
  const columns = target.split(", ").map((column) => /^(.*)\.([^.]+)$/.exec(column))
  return columns.every((column) => column !== null)
    ? { table: columns[0]![1], column: columns.map((column) => column![2]).join(", ") }
    : { constraint: /^index '(.+)'$/.exec(target)?.[1] ?? target }
}
