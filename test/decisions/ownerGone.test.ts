import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { isOwnerGone, type Machine, ownerName } from "../../src/decisions/ownerGone.js"

/** A line of /proc/<pid>/stat; the name of a program may hold anything. */
const stat = (state: string, start: string, program = "node"): string =>
  `4711 (${program}) ${state} 1 4711 4711 0 -1 4194304 102 0 0 0 7 3 0 0 20 0 11 0 ${start} 3133440 418 18446744073709551615`

interface Seen {
  readonly refusal?: string | undefined
  readonly stat?: string | undefined
}

const machine = (seen: Seen = {}, place = "b00t-4026531836"): Machine => ({
  host: "worker",
  place,
  refusal: () => seen.refusal,
  stat: () => seen.stat
})

const owner = ownerName(machine({ stat: stat("S", "180997") }), 4711)

describe("the process that owned an execution", () => {
  it("has a name of host, number, place and start", () => {
    assert.strictEqual(owner, "worker:4711:b00t-4026531836:180997")
    assert.strictEqual(ownerName(machine({}, ""), 1), "worker:1::")
  })

  const gone: Record<string, Seen> = {
    "nobody has its number": { refusal: "ESRCH" },
    "nobody has its number, and /proc is behind": { refusal: "ESRCH", stat: stat("S", "180997") },
    "it was killed and its parent has not waited for it": { stat: stat("Z", "180997") },
    "it is being removed": { stat: stat("X", "180997") },
    "it was killed as somebody else's": { refusal: "EPERM", stat: stat("Z", "180997") },
    "its number belongs to a younger process": { stat: stat("S", "181000") },
    "its number belongs to a younger process of another user": { refusal: "EPERM", stat: stat("R", "99") },
    "its number belongs to a program with a strange name": { stat: stat("S", "181000", "x) Z 1 (y") }
  }
  for (const [why, seen] of Object.entries(gone)) {
    it(`is gone: ${why} (OWN-20)`, () => assert.isTrue(isOwnerGone(machine(seen), owner)))
  }

  const living: Record<string, Seen> = {
    "it sleeps": { stat: stat("S", "180997") },
    "it runs": { stat: stat("R", "180997") },
    "it was frozen": { stat: stat("T", "180997") },
    "its program is named like a killed one": { stat: stat("S", "180997", "x) Z 1 (y") },
    "it belongs to another user": { refusal: "EPERM", stat: stat("S", "180997") },
    "it belongs to another user, and /proc hides those": { refusal: "EPERM" },
    "/proc hides it": {},
    "its line in /proc is cut off": { stat: "4711 (node) S 1" },
    "the system refuses the signal for some other reason": { refusal: "EINVAL" }
  }
  for (const [why, seen] of Object.entries(living)) {
    it(`is not known to be gone: ${why} (OWN-20)`, () => assert.isFalse(isOwnerGone(machine(seen), owner)))
  }

  const strangers: Record<string, string> = {
    "another host": "other:4711:b00t-4026531836:180997",
    "another container of the same host name": "worker:4711:b00t-4026532201:180997",
    "the same host before it was booted": "worker:4711:aaaa-4026531836:180997",
    "a process without a place": "worker:4711::",
    "a name that was chosen": "nightly",
    "a name that was chosen, with the host's": "worker",
    "a number that is none": "worker:47x1:b00t-4026531836:180997",
    "no number": "worker::b00t-4026531836:180997",
    "the group of this process": "worker:0:b00t-4026531836:180997"
  }
  for (const [who, name] of Object.entries(strangers)) {
    it(`is not known to be gone: ${who} (OWN-20)`, () =>
      assert.isFalse(isOwnerGone(machine({ refusal: "ESRCH", stat: stat("Z", "1") }), name)))
  }

  it("is not known to be gone where the system tells no place: another container may have the same name (OWN-20)", () =>
    assert.isFalse(isOwnerGone(machine({ refusal: "ESRCH" }, ""), "worker:4711::")))

  it("may not have told its start: then only its absence and its death are proof (OWN-20)", () => {
    const nameless = "worker:4711:b00t-4026531836:"
    assert.isFalse(isOwnerGone(machine({ stat: stat("S", "180997") }), nameless))
    assert.isTrue(isOwnerGone(machine({ stat: stat("Z", "180997") }), nameless))
    assert.isTrue(isOwnerGone(machine({ refusal: "ESRCH" }), nameless))
  })

  it.prop(
    "lives as long as the machine shows a living process of its number and start, whatever else it shows (OWN-20)",
    [
      FastCheck.constantFrom(undefined, "EPERM", "EINVAL"),
      FastCheck.constantFrom("R", "S", "D", "T", "I"),
      FastCheck.string()
    ],
    ([refusal, state, program]) => {
      const seen = machine({ refusal, stat: stat(state, "5", program) })
      assert.isFalse(isOwnerGone(seen, ownerName(seen, 4711)))
    }
  )
})
