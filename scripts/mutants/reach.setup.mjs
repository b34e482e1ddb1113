/** In each test file: writes down which functions of src/ it has called. */
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { afterAll, beforeAll, expect } from "vitest"

const reached = globalThis.__reached = new Set()
const since = performance.now()
let test
beforeAll(() => {
  test = Path.relative(process.cwd(), expect.getState().testPath).split(Path.sep).join("/")
})
afterAll(() => {
  const name = createHash("sha256").update(test).digest("hex").slice(0, 16)
  const millis = Math.round(performance.now() - since)
  Fs.writeFileSync(
    Path.join(process.env.EFFECT_BATCH_REACH, `${name}.json`),
    JSON.stringify({ test, millis, reached: [...reached] })
  )
})
