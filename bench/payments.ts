/**
 * The data of the end-to-end bench: the same file at every run, what makes a row valid, and what it becomes.
 */
import { Schema } from "effect"
import * as Fs from "node:fs"

const Digits = /^\d+\.\d{2}$/
const Email = /^[^@\s]+@[^@\s]+\.[a-z]+$/
const Instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
const currencies = ["EUR", "USD", "GBP", "CHF"] as const

/** A line of the file. */
export const Payment = Schema.Struct({
  id: Schema.NumberFromString.pipe(Schema.int(), Schema.positive()),
  email: Schema.String.pipe(Schema.pattern(Email)),
  amount: Schema.String.pipe(Schema.pattern(Digits)),
  currency: Schema.Literal(...currencies),
  created_at: Schema.String.pipe(Schema.pattern(Instant))
})
export type Payment = typeof Payment.Type

export interface Row {
  readonly id: number
  readonly email: string
  readonly amount_cents: number
  readonly currency: string
  readonly created_at: string
  readonly batch: string
}

export const columns = ["id", "email", "amount_cents", "currency", "created_at", "batch"] as const

export const toRow = (payment: Payment): Row => ({
  id: payment.id,
  email: payment.email.toLowerCase(),
  amount_cents: Math.round(Number(payment.amount) * 100),
  currency: payment.currency,
  created_at: payment.created_at,
  batch: "bench"
})

export const createTable = (bigint: "bigint" | "integer", instant: "timestamptz" | "text") =>
  `create table payment (id ${bigint} primary key, email text not null, amount_cents ${bigint} not null,
    currency text not null, created_at ${instant} not null, batch text not null)`

/** The checks of the Schema, as somebody would write them who does without one. */
export const parse = (line: string): Row => {
  const [id, email, amount, currency, created_at, ...more] = line.split(",")
  const number = Number(id)
  if (
    created_at === undefined || more.length > 0 || !Number.isInteger(number) || number <= 0 || !Email.test(email!) ||
    !Digits.test(amount!) || !currencies.includes(currency as "EUR") || !Instant.test(created_at)
  ) {
    throw new Error(`bad line: ${line}`)
  }
  return toRow({ id: number, email: email!, amount: amount!, currency: currency as "EUR", created_at })
}

/** The rows of the file, a block of it at a time. */
export async function* parsed(path: string): AsyncGenerator<ReadonlyArray<Row>> {
  let rest = ""
  let header = true
  for await (const block of Fs.createReadStream(path, { encoding: "utf8", highWaterMark: 256 * 1024 })) {
    const lines = (rest + block).split("\n")
    rest = lines.pop()!
    yield lines.slice(header ? 1 : 0).map(parse)
    header = false
  }
}

/** A row in the text format of COPY; none of the values needs an escape. */
export const copyLine = (row: Row): string =>
  `${row.id}\t${row.email}\t${row.amount_cents}\t${row.currency}\t${row.created_at}\t${row.batch}\n`

export interface Files {
  readonly csv: string
  /** What COPY takes as it is: the rows that come out in the end. */
  readonly copy: string
  readonly bytes: number
  readonly cents: number
}

/** Writes both files and says what they sum up to. */
export const generate = (directory: string, count: number): Files => {
  const csv = Fs.openSync(`${directory}/payments.csv`, "w")
  const copy = Fs.openSync(`${directory}/payments.copy`, "w")
  const random = generator(42)
  let lines = "id,email,amount,currency,created_at\n"
  let rows = ""
  let cents = 0
  for (let id = 1; id <= count; id++) {
    const amount = `${Math.floor(random() * 10_000)}.${two(random() * 100)}`
    const line = `${id},Customer.${Math.floor(random() * 1e6)}@example.com,${amount},` +
      `${currencies[Math.floor(random() * 4)]},2024-${two(1 + random() * 12)}-${two(1 + random() * 28)}` +
      `T${two(random() * 24)}:${two(random() * 60)}:${two(random() * 60)}Z`
    lines += `${line}\n`
    const row = parse(line)
    rows += copyLine(row)
    cents += row.amount_cents
    if (id % 10_000 === 0 || id === count) {
      Fs.writeSync(csv, lines)
      Fs.writeSync(copy, rows)
      lines = rows = ""
    }
  }
  Fs.closeSync(csv)
  Fs.closeSync(copy)
  const path = `${directory}/payments.csv`
  return { csv: path, copy: `${directory}/payments.copy`, bytes: Fs.statSync(path).size, cents }
}

const two = (value: number): string => String(Math.floor(value)).padStart(2, "0")

// Numbers from 0 to 1 that are the same everywhere (mulberry32).
const generator = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}
