/**
 * Text that fits: words wrapped to a width, rows as tables, or as two lines where a table is too wide. Pure.
 */
import { visible } from "../base/text.js"

/** Where nothing is drawn, lines are as long as they need to be: programs read them. @internal */
export const UNLIMITED = Number.POSITIVE_INFINITY

/** Text of records in a cell: neither a control character nor a line break does anything. @internal */
export const inCell = (text: string): string => visible(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t")

/** Lines of at most that width; a word that is longer is broken. @internal */
export const wrap = (text: string, width: number): ReadonlyArray<string> => {
  if (width === UNLIMITED) {
    return [text]
  }
  const limit = Math.max(1, width)
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`
    if (longer.length <= limit) {
      line = longer
      continue
    }
    if (line !== "") {
      lines.push(line)
    }
    const broken = pieces(word, limit)
    lines.push(...broken.slice(0, -1))
    line = broken[broken.length - 1] ?? ""
  }
  return line === "" && lines.length > 0 ? lines : [...lines, line]
}

/** Two columns, the second one wrapped beside the first, or below it where that is too narrow. @internal */
export const beside = (rows: ReadonlyArray<readonly [left: string, right: string]>, width: number): string => {
  const widest = Math.max(0, ...rows.map(([left]) => left.length))
  const column = Math.min(widest, Math.floor(width * 0.4))
  const rest = width - column - GAP - INDENT
  return rows.map(([left, right]) => {
    const isStacked = rest < 24 || left.length > column
    const indent = " ".repeat(isStacked ? INDENT * 3 : INDENT + column + GAP)
    const told = right === "" ? [] : wrap(right, width - indent.length)
    const first = " ".repeat(INDENT) + left
    const lines = isStacked || told.length === 0
      ? [...hanging(left, width), ...told.map((line) => indent + line)]
      : [`${first.padEnd(INDENT + column + GAP)}${told[0]}`, ...told.slice(1).map((line) => indent + line)]
    return lines.join("\n")
  }).join("\n")
}

/** Columns as wide as they need to be, numbers on the right; two lines a row where that is wider than allowed. @internal */
export const table = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  width = UNLIMITED
): string => {
  const cells = rows.map((row) => row.map(inCell))
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const isNumeric = head.map((_, i) => cells.length > 0 && cells.every((row) => /^[\d,]*$/.test(row[i] ?? "")))
  const line = (row: ReadonlyArray<string>) =>
    row.map((cell, i) => isNumeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ").trimEnd()
  const lines = [line(head), ...cells.map(line)]
  return lines.every(({ length }) => length <= width)
    ? lines.join("\n")
    : cells.map((row) => stacked(head, row, isNumeric, width)).join("\n")
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const INDENT = 2
const GAP = 2

const pieces = (word: string, width: number): ReadonlyArray<string> =>
  Array.from({ length: Math.ceil(word.length / width) }, (_, i) => word.slice(i * width, (i + 1) * width))

const hanging = (text: string, width: number): ReadonlyArray<string> =>
  wrap(text, width - INDENT).map((line) => " ".repeat(INDENT) + line)

/** What identifies the row on one line; everything else, with its title, below. */
const stacked = (
  head: ReadonlyArray<string>,
  row: ReadonlyArray<string>,
  isNumeric: ReadonlyArray<boolean>,
  width: number
): string => {
  let shown = 0
  let used = 0
  while (shown < row.length && (shown === 0 || used + 2 + row[shown]!.length <= width) && shown < 3) {
    used += (shown === 0 ? 0 : 2) + row[shown]!.length
    shown++
  }
  const others = row.slice(shown).flatMap((cell, index) => {
    const at = shown + index
    return cell === "" || (isNumeric[at] && cell === "0") ? [] : [`${head[at]!.toLowerCase()} ${cell}`]
  })
  const first = wrap(row.slice(0, shown).join("  "), width)
  return others.length === 0 ? first.join("\n") : [...first, ...joined(others, width - 4)].join("\n")
}

/** As many parts on a line as fit. */
const joined = (parts: ReadonlyArray<string>, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const part of parts) {
    const last = lines[lines.length - 1]
    if (last !== undefined && last.length + 2 + part.length <= width) {
      lines[lines.length - 1] = `${last}, ${part}`
    } else {
      lines.push(...wrap(part, width))
    }
  }
  return lines.map((line) => `    ${line}`)
}
