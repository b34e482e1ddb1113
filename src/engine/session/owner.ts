/**
 * The name of this process in the repository, and whether a process of that name is certainly gone.
 *
 * The truth about ownership is the lease and the epoch. The name only shortens the wait after a crash on the same
 * machine: it holds what makes a process unique there, and a wrong guess would be caught by the epoch.
 */
import { readFileSync, readlinkSync } from "node:fs"
import { hostname } from "node:os"

/** `host:pid:machine:start`, where the last two are empty when the system does not tell. */
export const thisProcess: string = [hostname(), process.pid, machine(), startOf(process.pid)].join(":")

/** True only for a process of this very machine that does not exist any more. */
export const isGone = (owner: string): boolean => {
  const [host, pid, where, start] = owner.split(":")
  if (host !== hostname() || where !== machine() || pid === undefined || !/^\d+$/.test(pid)) {
    return false
  }
  const id = Number(pid)
  return !exists(id) || (start !== undefined && start !== "" && startOf(id) !== start)
}

/** The boot and the process namespace: without them a pid says nothing, in containers above all. */
function machine(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().slice(0, 8)
    return `${boot}-${readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`
  } catch {
    return ""
  }
}

/** The start time in clock ticks, the 22nd field of the process's stat line. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
  } catch {
    return ""
  }
}

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** A killed process whose parent has not waited for it still has its number, but does nothing. */
const isZombie = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z")
  } catch {
    return false
  }
}
