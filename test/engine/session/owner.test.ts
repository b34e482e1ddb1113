import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import { isGone, thisProcess } from "../../../src/engine/session/owner.js"

const [, , place] = thisProcess.split(":")

const named = (pid: number, start: string) => [hostname(), pid, place, start].join(":")

const line = (child: ChildProcess) =>
  new Promise<string>((resolve) => child.stdout!.once("data", (bytes) => resolve(String(bytes).trim())))

describe("this process", () => {
  it("is alive, and one of another start with its number is not (OWN-20)", () => {
    assert.isFalse(isGone(thisProcess))
    assert.isTrue(thisProcess.startsWith(`${hostname()}:${process.pid}:`))
    if (process.platform === "linux") {
      assert.isTrue(isGone(named(process.pid, "1")))
    }
  })
})

describe.runIf(process.platform === "linux")("another process", () => {
  it("is alive until it ends, and gone as soon as it is killed, also while nobody has waited for it (OWN-20)", async () => {
    // The shell becomes a program that never waits for the child it had; before that, it would wait for it.
    const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"])
    const ended = new Promise((resolve) => parent.once("exit", resolve))
    try {
      const pid = Number(await line(parent))
      const stat = (of = pid) => readFileSync(`/proc/${of}/stat`, "utf8")
      while (!stat(parent.pid).includes("(sleep)")) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      const owner = named(pid, stat().split(" ")[21]!)
      // Until it is that program, the shell waits for its child after all.
      while (readFileSync(`/proc/${parent.pid}/comm`, "utf8").trim() !== "sleep") {
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.isFalse(isGone(owner))
      process.kill(pid, "SIGKILL")
      while (!stat().includes(") Z ")) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.isTrue(isGone(owner))
    } finally {
      parent.kill("SIGKILL")
      await ended
    }
    assert.isTrue(isGone(named(parent.pid!, "")))
  })
})
