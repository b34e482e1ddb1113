import { addEqualityTesters } from "@effect/vitest"
import { isDeepStrictEqual } from "node:util"
import { chai } from "vitest"

addEqualityTesters()

// Chai itself takes an option that is there for one that is not, because both can be iterated, and errors for the same
// as soon as their messages are.
chai.config.deepEqual = isDeepStrictEqual

// A worker whose test runner was killed would otherwise wait for ever, together with the servers it started.
// Vitest turns process.exit into an error.
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"))
