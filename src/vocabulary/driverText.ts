/**
 * What the driver of a database says, in words that may be shown: the message without the values of rows that it quotes,
 * the names of table, column and constraint, the code, and what helps. Pure.
 */
import * as Predicate from "effect/Predicate"
import { oneLine } from "../base/text.js"

/** A driver's own error: the innermost one that has a code. @internal */
export interface DriverError {
  readonly code: string
  readonly message: string
  readonly table: string | undefined
  readonly column: string | undefined
  readonly constraint: string | undefined
}

/** Finds the driver's error in an error and its causes. @internal */
export const driverErrorOf = (error: unknown): DriverError | undefined => {
  let current = error
  for (let depth = 0; depth < 10 && Predicate.isObject(current); depth++) {
    const code = text(current, "code")
    if (code !== undefined && isDatabaseCode(code, current)) {
      return {
        code,
        message: text(current, "message") ?? "",
        table: text(current, "table"),
        column: text(current, "column"),
        constraint: text(current, "constraint")
      }
    }
    current = Predicate.hasProperty(current, "cause") ? current.cause : undefined
  }
  return undefined
}

/** `duplicate key value violates unique constraint "orders_pkey" (SQLSTATE 23505, table "orders")`. @internal */
export const inWords = (error: DriverError): string => {
  const { code, column, constraint, table } = error
  const message = withoutValues(error)
  const names = ([["table", table], ["column", column], ["constraint", constraint]] as const)
    .flatMap(([what, name]) => name === undefined || message.includes(`"${name}"`) ? [] : [`${what} "${name}"`])
  const help = problemOf(code)
  return `${message}${message === "" ? "" : " "}(${
    [code.startsWith("SQLITE_") ? code : `SQLSTATE ${code}`, ...names].join(", ")
  })${help === undefined ? "" : `: ${help}`}`
}

/**
 * Whether a text holds the words for a problem, which say what to do: general advice would only lead away from it.
 *
 * @internal
 */
export const saysWhatToDo = (text: string): boolean =>
  advice.test(text) || PROBLEMS.some(([, problem]) => text.includes(problem))

/**
 * What is wrong and what helps, for codes that are about the database, the session or the transaction and not about the
 * statement that met them.
 *
 * @internal
 */
export const problemOf = (code: string | undefined): string | undefined =>
  code === undefined ? undefined : PROBLEMS.find(([prefix]) => code.startsWith(prefix))?.[1]

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** How the advice begins in the words of this library. */
const advice = /[:;.] (?:let|upgrade|use|wait for|run) /i

const text = (error: object, key: string): string | undefined => {
  const value = (error as Record<string, unknown>)[key]
  return typeof value === "string" && value !== "" ? value : undefined
}

/** A SQLSTATE looks like many a code of somebody else; PostgreSQL's driver sends a severity with it. */
const isDatabaseCode = (code: string, error: object): boolean =>
  code.startsWith("SQLITE_") ||
  (/^[0-9A-Z]{5}$/.test(code) && (/^\d/.test(code) || "severity" in error) && !NODE_CODES.includes(code))

const NODE_CODES: ReadonlyArray<string> = ["EPIPE", "EPERM", "EBUSY", "EROFS", "EXDEV"]

/**
 * Messages about data (class 22) quote the value. Those about constraints (class 23) and about statements (class 42) have
 * names only; whoever raises an error of their own (P0001) chooses the words.
 */
const withoutValues = ({ code, message }: DriverError): string =>
  oneLine(code.startsWith("22") ? message.replace(/: "[\s\S]*"$/, "").replace(/"[^"]*"/g, "\"…\"") : message)

const FULL = "the disk is full: make room on the disk of the database, then restart"
const ROW_LOCKED = "another transaction holds the lock: find who that is, or retry"

const PROBLEMS: ReadonlyArray<readonly [codePrefix: string, problem: string]> = [
  [
    "25P02",
    "an earlier statement of this transaction failed and its error was caught by code of the step, after which " +
    "PostgreSQL takes nothing more: let that error fail, or put the statement into a transaction of its own"
  ],
  [
    "25006",
    "the session is read-only, as on a standby: connect to the primary, and look at default_transaction_read_only"
  ],
  [
    "25P03",
    "the transaction was idle for too long: wait outside of it, or lengthen idle_in_transaction_session_timeout"
  ],
  ["53100", FULL],
  ["53200", "the server is out of memory: use smaller chunks, or give it more"],
  ["53300", "the server has no connection left: use smaller pools, or let it take more"],
  ["54000", "a limit of the database was passed: use smaller chunks"],
  ["55P03", ROW_LOCKED],
  ["57014", "the statement was cancelled: look at statement_timeout and lock_timeout, or for who cancelled it"],
  ["57P01", "the server was shut down by an administrator: restart when it is there again"],
  ["57P03", "the server is starting: wait until it has, and restart"],
  ["58030", "the server could not read or write its files: look at its log"],
  ["SQLITE_FULL", FULL],
  ["SQLITE_READONLY", "the file of the database cannot be written: look at its permissions and those of its folder"],
  ["SQLITE_CANTOPEN", "the file of the database cannot be opened: look at its path and its permissions"],
  ["SQLITE_IOERR", "the file of the database cannot be read or written: look at the disk, and restart"],
  ["SQLITE_CORRUPT", "the file of the database is damaged: restore it from a backup"],
  ["SQLITE_NOTADB", "the file is not a database of SQLite, or is encrypted: look at its path"],
  ["SQLITE_BUSY", ROW_LOCKED],
  ["SQLITE_LOCKED", ROW_LOCKED]
]
