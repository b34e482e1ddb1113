import { addEqualityTesters } from "@effect/vitest"

addEqualityTesters()

// A worker whose test runner was killed would otherwise wait for ever, together with the servers it started.
// Vitest turns process.exit into an error.
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"))
