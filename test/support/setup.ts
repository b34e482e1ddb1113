import { addEqualityTesters, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { isDeepStrictEqual } from "node:util"
import { chai } from "vitest"
import { longer, seed, times } from "./longSearch.js"

addEqualityTesters()

// Chai itself takes an option that is there for one that is not, because both can be iterated, and errors for the same
// as soon as their messages are.
chai.config.deepEqual = isDeepStrictEqual

// What fast-check itself tries, where a test says nothing.
FastCheck.configureGlobal({ numRuns: Math.ceil(100 * times), ...seed })

const { effect, flakyTest, layer, live, prop, scoped, scopedLive } = it
const process_ = globalThis as { testApi?: Partial<typeof it> }

if (process_.testApi === undefined) {
  process_.testApi = times === 1 ? { effect, flakyTest, layer, live, prop, scoped, scopedLive } : {
    flakyTest,
    layer,
    prop: longer(prop),
    effect: Object.assign(effect, { prop: longer(effect.prop) }),
    live: Object.assign(live, { prop: longer(live.prop) }),
    scoped: Object.assign(scoped, { prop: longer(scoped.prop) }),
    scopedLive: Object.assign(scopedLive, { prop: longer(scopedLive.prop) })
  }
  // A worker whose test runner was killed would otherwise wait for ever, together with the servers it started.
  // Vitest turns process.exit into an error.
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL"))
}

// One process runs many files, and `it.layer` leaves what it has made of these behind for the next one.
Object.assign(it, process_.testApi)
