/**
 * Whether the process that owned an execution is certainly gone, from what this machine shows (OWN-20).
 *
 * Gone needs proof. Whoever may live, as far as anybody here can tell, lives: a wrong guess would let a second process
 * write beside the first one.
 */

/** What this process knows about the machine it runs on. */
export interface Machine {
  readonly host: string
  /** The boot and the PID namespace, without which a PID says nothing; empty when the system does not tell. */
  readonly place: string
  /** The error code with which the system refuses a signal to the process, if it refuses it. */
  readonly refusal: (pid: number) => string | undefined
  /** The stat line of the process in /proc, if it can be read. */
  readonly stat: (pid: number) => string | undefined
}

/** `host:pid:place:start`, where the last two are empty when the system does not tell. */
export const ownerName = (machine: Machine, pid: number): string =>
  [machine.host, pid, machine.place, startOf(machine.stat(pid)) ?? ""].join(":")

export const isOwnerGone = (machine: Machine, owner: string): boolean => {
  const [host, pid, place, start] = owner.split(":")
  if (host !== machine.host || machine.place === "" || place !== machine.place || !/^[1-9]\d*$/.test(pid ?? "")) {
    return false
  }
  const stat = machine.stat(Number(pid))
  return machine.refusal(Number(pid)) === "ESRCH" || isDead(stat) || isAnother(startOf(stat), start)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What follows the name of the program, which may hold anything: the state first, and the start as the 20th. */
const fieldsOf = (stat: string): ReadonlyArray<string> => stat.slice(stat.lastIndexOf(")") + 2).split(" ")

/** In clock ticks since the boot. */
const startOf = (stat: string | undefined): string | undefined => stat === undefined ? undefined : fieldsOf(stat)[19]

/** A killed process whose parent has not waited for it still has its number, but does nothing. */
const isDead = (stat: string | undefined): boolean => stat !== undefined && ["Z", "X"].includes(fieldsOf(stat)[0]!)

/** The number was given to a process that started at another time. */
const isAnother = (seen: string | undefined, owner: string | undefined): boolean =>
  seen !== undefined && owner !== undefined && owner !== "" && seen !== owner
