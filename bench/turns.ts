/**
 * Five programs that write slow chunks to one SQLite file, which has one write lock: how long the event loop of each is held up
 * while it waits for its turn, and how the turns were divided. `turnsChild.ts` is one of the programs.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as database from "./database.js"
import * as measure from "./measure.js"
import * as options from "./options.js"
import type { Turned } from "./turnsChild.js"

const PROGRAMS = 5
const CHUNKS = 6
const CHUNK_MILLIS = 300

const program = (file: string, name: string, chunks: number): Promise<Turned> =>
  new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL("./turnsChild.ts", import.meta.url))
    const args = [...process.execArgv, script, file, name, String(chunks), String(CHUNK_MILLIS)]
    const started = spawn(process.execPath, args, { stdio: ["ignore", "pipe", 2] })
    let output = ""
    started.stdout!.on("data", (bytes) => output += bytes)
    started.once("error", reject).once(
      "close",
      (code) => code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`turnsChild ended with ${code}`))
    )
  })

/** The worst of all programs. */
const worst = (ended: ReadonlyArray<Turned>, of: (turned: Turned) => number): number => Math.max(...ended.map(of))

export const turns = (): Promise<void> =>
  database.inDirectory(async (directory) => {
    const rows: Array<ReadonlyArray<string>> = []
    for (let round = 1; round <= options.roundsOr(3); round++) {
      // What the machine alone holds up shows where nobody waits for anybody.
      for (const shared of [true, false]) {
        const fileOf = (index: number) => `${directory}/${round}-${shared ? "all" : index}.db`
        const names = Array.from({ length: PROGRAMS }, (_, index) => `program ${index + 1}`)
        // The tables are there before, so that none waits for that.
        await Promise.all((shared ? [0] : [...names.keys()]).map((index) => program(fileOf(index), "first", 1)))
        const ended = await Promise.all(names.map((name, index) => program(fileOf(index), name, CHUNKS)))
        rows.push([
          shared ? "one file" : "a file each",
          `${ended.filter(({ status }) => status === "COMPLETED").length} of ${PROGRAMS}`,
          worst(ended, ({ delayMillis }) => delayMillis).toFixed(1),
          worst(ended, ({ highMillis }) => highMillis).toFixed(1),
          (worst(ended, ({ waitMillis }) => waitMillis) / CHUNK_MILLIS).toFixed(1)
        ])
      }
    }
    measure.print(
      `${PROGRAMS} programs, ${CHUNKS} chunks of ${CHUNK_MILLIS} ms each; the worst of them`,
      ["", "completed", "event loop held up, longest in ms", "99.9 % of the time below, ms", "longest wait in chunks"],
      rows
    )
  })
