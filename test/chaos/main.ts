/**
 * `npm run chaos -- --faults N --seed S --lanes L`
 */
import * as Effect from "effect/Effect"
import { campaign } from "./campaign.js"

const given = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`)
  const value = at < 0 ? otherwise : Number(process.argv[at + 1])
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new Error(`--${name} takes a whole number`)
  }
  return value
}

let isOver = false
process.on("SIGINT", () => {
  isOver = true
})

const settings = {
  isOver: () => isOver,
  faults: given("faults", 1000),
  seed: given("seed", Date.now() % 1_000_000),
  lanes: given("lanes", 2),
  log: (line: string) => process.stdout.write(`${line}\n`)
}

const table = (title: string, counts: Readonly<Record<string, number>>) =>
  [title, ...Object.entries(counts).sort().map(([name, count]) => `  ${String(count).padStart(6)} ${name}`)].join("\n")

/** As a table of Markdown, a row for each kind of fault and a column for each way in which what it hit went on. */
const crossed = (counts: Readonly<Record<string, Readonly<Record<string, number>>>>) => {
  const columns = [...new Set(Object.values(counts).flatMap((row) => Object.keys(row)))].sort()
  const line = (cells: ReadonlyArray<string | number>) => `| ${cells.join(" | ")} |`
  return [
    line(["fault", "times", ...columns]),
    line(["---", "---:", ...columns.map(() => "---:")]),
    ...Object.entries(counts).sort().map(([name, row]) =>
      line([name, Object.values(row).reduce((sum, n) => sum + n, 0), ...columns.map((column) => row[column] ?? "–")])
    )
  ].join("\n")
}

process.stdout.write(`seed ${settings.seed}\n`)
const result = await Effect.runPromise(Effect.scoped(campaign(settings)))
process.stdout.write(
  `${table("faults", result.faults)}\n${crossed(result.outcomes)}\n${
    table("executions by exit code", result.endings)
  }\n` +
    `${result.jobs} jobs in ${result.rounds} rounds, ${result.violations.length} promises broken\n`
)
result.violations.forEach((line) => process.stdout.write(`  ${line}\n`))
process.exit(result.violations.length === 0 ? 0 : 1)
