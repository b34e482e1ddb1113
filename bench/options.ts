/**
 * What stands behind `npm run bench --`: the names of benches, and how much of them to run.
 */

const argv = process.argv.slice(2)

const number = (flag: string, standard: number): number => {
  const found = argv.find((argument) => argument.startsWith(`--${flag}=`))
  const value = found === undefined ? standard : Number(found.slice(flag.length + 3).replaceAll("_", ""))
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`--${flag} must be a whole number above 0`)
  }
  return value
}

export const names: ReadonlyArray<string> = argv.filter((argument) => !argument.startsWith("--"))

/** Rows of the file that `endToEnd` loads: 1,000,000 with `--rows=1000000`. */
export const rows = number("rows", 300_000)

/** Rounds that are counted; each bench has its own default, as their runs differ in length. */
export const roundsOr = (standard: number): number => number("rounds", standard)

/** Whether `growth` goes up to ten million items. */
export const large = argv.includes("--large")

const known = /^--(rows=|rounds=|large$)/
export const unknownFlags: ReadonlyArray<string> = argv.filter((argument) =>
  argument.startsWith("--") && !known.test(argument)
)
