import { addEqualityTesters, it } from "@effect/vitest"
import { isDeepStrictEqual } from "node:util"
import { chai } from "vitest"

addEqualityTesters()

// Chai itself takes an option that is there for one that is not, because both can be iterated, and errors for the same
// as soon as their messages are.
chai.config.deepEqual = isDeepStrictEqual

const { effect, flakyTest, layer, live, prop, scoped, scopedLive } = it
const process_ = globalThis as { testApi?: Partial<typeof it> }

if (process_.testApi === undefined) {
  process_.testApi = { effect, flakyTest, layer, live, prop, scoped, scopedLive }
  // A worker whose test runner was killed would otherwise wait for ever, together with the servers it started.
  // Vitest turns process.exit into an error.
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL"))
}

// One process runs many files, and `it.layer` leaves what it has made of these behind for the next one.
Object.assign(it, process_.testApi)
