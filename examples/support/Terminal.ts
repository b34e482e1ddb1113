/**
 * Words, numbers and tables for people who look at a terminal.
 */

/** Whether the standard output is a terminal that shows colours and can rewrite a line. */
export const isTerminal = process.stdout.isTTY === true && process.env["TERM"] !== "dumb"

const paint = (code: number) => (text: string): string =>
  isTerminal && process.env["NO_COLOR"] === undefined ? `\u001b[${code}m${text}\u001b[0m` : text

export const bold = paint(1)
export const dim = paint(2)
export const red = paint(31)
export const green = paint(32)
export const yellow = paint(33)
export const cyan = paint(36)

export const number = (n: number): string => n.toLocaleString("en-US")

export const plural = (n: number, noun: string): string => `${number(n)} ${noun}${n === 1 ? "" : "s"}`

export const bar = (share: number, width: number): string => {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width)
  return "█".repeat(full) + "░".repeat(width - full)
}

/** A column of a table: its title, on which side its cells are aligned, and how they are coloured. */
export interface Column {
  readonly title: string
  readonly align?: "left" | "right" | undefined
  readonly paint?: ((text: string) => string) | undefined
}

/** Lines of a table whose columns are as wide as they need to be. */
export const table = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<string> => {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)))
  const fit = (text: string, i: number) =>
    columns[i]!.align === "right" ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)
  const line = (cells: ReadonlyArray<string>) => cells.join("  ").trimEnd()
  return [
    dim(line(columns.map(({ title }, i) => fit(title, i)))),
    ...rows.map((row) => line(row.map((text, i) => (columns[i]!.paint ?? String)(fit(text, i)))))
  ]
}
