/**
 * `npm run chaos -- --faults N --seed S`
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
  log: (line: string) => process.stdout.write(`${line}\n`)
}

const table = (title: string, counts: Readonly<Record<string, number>>) =>
  [title, ...Object.entries(counts).sort().map(([name, count]) => `  ${String(count).padStart(6)} ${name}`)].join("\n")

process.stdout.write(`seed ${settings.seed}\n`)
const result = await Effect.runPromise(Effect.scoped(campaign(settings)))
process.stdout.write(
  `${table("faults", result.faults)}\n${table("executions by exit code", result.endings)}\n` +
    `${result.jobs} jobs in ${result.rounds} rounds, ${result.violations.length} promises broken\n`
)
result.violations.forEach((line) => process.stdout.write(`  ${line}\n`))
process.exit(result.violations.length === 0 ? 0 : 1)
