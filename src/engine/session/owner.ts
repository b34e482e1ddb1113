/**
 * The name of this process in the repository, and whether a process of that name is certainly gone.
 *
 * The truth about ownership is the lease and the epoch. The name only shortens the wait after a crash on the same
 * machine: it holds what makes a process unique there.
 */
import { readFileSync, readlinkSync } from "node:fs"
import { hostname } from "node:os"
import type { Machine } from "../../decisions/ownerGone.js"
import { isOwnerGone, ownerName } from "../../decisions/ownerGone.js"

/** What /proc says, or nothing: it may be missing, or hide the processes of others. */
const inProc = (read: () => string): string | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const machine: Machine = {
  host: hostname(),
  // A system without namespaces of PIDs, and without /proc: there the name of the host has to do.
  place: process.platform === "darwin" ? "darwin" : inProc(() => {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().slice(0, 8)
    return `${boot}-${readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`
  }) ?? "",
  refusal: (pid) => {
    try {
      process.kill(pid, 0)
      return undefined
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code)
    }
  },
  stat: (pid) => inProc(() => readFileSync(`/proc/${pid}/stat`, "utf8"))
}

/** Tells this process from all others: `host:pid:place:start`. */
export const thisProcess: string = ownerName(machine, process.pid)

/** True only for a process of this very machine that does not exist any more. */
export const isGone = (owner: string): boolean => isOwnerGone(machine, owner)
