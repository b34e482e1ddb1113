/**
 * What stands on screens of 80, 60 and 40 columns, without colour, and in a pipe.
 */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as FastCheck from "effect/FastCheck"
import { command } from "../../src/cli/command.js"
import * as Flag from "../../src/cli/flag.js"
import * as Format from "../../src/cli/format.js"
import type { Program } from "../../src/cli/help.js"
import { help } from "../../src/cli/help.js"
import { beside, table, UNLIMITED, wrap } from "../../src/cli/layout.js"
import { Fixture } from "../../src/testing/index.js"

const json = Flag.toggle("json", "Answer with JSON, for programs")
const day = { ...Flag.optional("day", "date", "The day whose orders are billed", Flag.anyText), isRequired: true }
const status = Flag.repeated("status", "status", "Only with this status", Flag.anyText, ["FAILED", "STOPPED"])
const program: Program = {
  name: "shop",
  version: "1.2.3",
  commands: [
    command(
      {
        words: ["run", "billing"],
        group: "Run",
        summary: "Run \"billing\", or go on with one that did not complete",
        flags: { day, json },
        args: {}
      },
      () => undefined
    ),
    command(
      { words: ["list", "executions"], group: "Look", summary: "All executions", flags: { status, json }, args: {} },
      () => undefined
    ),
    command(
      {
        words: ["show"],
        group: "Look",
        summary: "Show an execution: steps, counts, what failed and what was skipped",
        flags: { json },
        args: { id: Flag.argument("id", "The id of an execution", Flag.integer) }
      },
      () => undefined
    )
  ]
}

const plain = (width: number) => ({ width, isStyled: false })

describe("help", () => {
  it("of the program, on 80 columns", () => {
    assert.strictEqual(
      help(program, [], plain(80)),
      `shop 1.2.3

Usage
  shop <command> [options]

Run
  run <job>  Run a job, or go on with one that did not complete: billing

Look
  list executions  All executions
  show <id>        Show an execution: steps, counts, what failed and what was
                   skipped

Options
  -h, --help             Help; after a command, about that command
  --version              The version of this program
  --json                 Answer with JSON, for programs; after any command
  --log-level <level>    How much is logged: all, trace, debug, info, warning,
                         error, fatal, none
  --completions <shell>  A completion script for bash, zsh, fish`
    )
  })

  it("of a command, on 80, 60 and 40 columns", () => {
    assert.strictEqual(
      help(program, ["list", "executions"], plain(80)),
      `All executions.

Usage
  shop list executions [--status <status>]... [--json]

Options
  --status <status>  Only with this status; one of FAILED, STOPPED; may be given
                     several times
  --json             Answer with JSON, for programs`
    )
    assert.strictEqual(
      help(program, ["list", "executions"], plain(60)),
      `All executions.

Usage
  shop list executions [--status <status>]... [--json]

Options
  --status <status>  Only with this status; one of FAILED,
                     STOPPED; may be given several times
  --json             Answer with JSON, for programs`
    )
    assert.strictEqual(
      help(program, ["list", "executions"], plain(40)),
      `All executions.

Usage
  shop list executions
    [--status <status>]... [--json]

Options
  --status <status>
      Only with this status; one of
      FAILED, STOPPED; may be given
      several times
  --json
      Answer with JSON, for programs`
    )
  })

  it("headings are bold where that can be shown, and nothing else changes", () => {
    const styled = help(program, ["show"], { width: 80, isStyled: true })
    assert.include(styled, "\u001b[1mUsage\u001b[0m")
    assert.strictEqual(styled.replaceAll(/\u001b\[[01]m/g, ""), help(program, ["show"], plain(80)))
  })
})

const job = {
  ...Fixture.jobExecution(),
  id: 17,
  status: "FAILED" as const,
  exitStatus: { code: "FAILED", messages: ["no paper"] },
  createTime: DateTime.unsafeMake("2026-06-30T23:10:00Z"),
  parameters: [{ name: "day", value: "2026-06-30T00:00:00.000Z", identifying: true }]
}

describe("rows", () => {
  it("on a wide screen and in a pipe one line each; a date as it was typed", () => {
    const wide = Format.executions([{ ...job, instance: { ...job.instance, jobName: "job" } }], UNLIMITED)
    assert.deepStrictEqual(wide.split("\n"), [
      "ID  JOB  STATUS  EXIT CODE  STARTED               TOOK  PARAMETERS",
      "17  job  FAILED  FAILED     2026-06-30 23:10:00Z        day=2026-06-30"
    ])
    assert.strictEqual(Format.executions([{ ...job, instance: { ...job.instance, jobName: "job" } }], 80), wide)
  })

  it("on a narrow screen two lines each, and nothing is cut", () => {
    assert.strictEqual(
      Format.executions([{ ...job, instance: { ...job.instance, jobName: "job" } }], 60),
      `17  job  FAILED
    exit code FAILED, started 2026-06-30 23:10:00Z
    parameters day=2026-06-30`
    )
    assert.strictEqual(
      Format.executions([{ ...job, instance: { ...job.instance, jobName: "job" } }], 40),
      `17  job  FAILED
    exit code FAILED
    started 2026-06-30 23:10:00Z
    parameters day=2026-06-30`
    )
  })

  it("a line break or an escape in a name does not break the table", () => {
    assert.strictEqual(table(["NAME"], [["a\nb\t\u001b[2J"]]), "NAME\na\\nb\\t\\u001b[2J")
  })

  it.prop("no line is longer than the screen, and no word is lost", {
    rows: FastCheck.array(FastCheck.array(FastCheck.string({ maxLength: 30 }), { minLength: 3, maxLength: 3 })),
    width: FastCheck.integer({ min: 20, max: 90 })
  }, ({ rows, width }) => {
    const text = table(
      ["FIRST", "SECOND", "THIRD"],
      rows.map((row) => row.map((cell) => cell.replaceAll(" ", ""))),
      width
    )
    assert.isTrue(text.split("\n").every((line) => line.length <= width), text)
    const squeezed = text.replaceAll(/\s/g, "")
    for (const cell of rows.flat().map((cell) => cell.replaceAll(/\s/g, ""))) {
      assert.isTrue(/^0?$/.test(cell) || squeezed.includes(table([""], [[cell]]).replaceAll(/\s/g, "")), cell)
    }
  })
})

describe("text", () => {
  it.prop("wrapping keeps all words and the width", {
    words: FastCheck.array(FastCheck.stringMatching(/^[a-z]{1,20}$/), { minLength: 1 }),
    width: FastCheck.integer({ min: 1, max: 40 })
  }, ({ width, words }) => {
    const lines = wrap(words.join(" "), width)
    assert.isTrue(lines.every((line) => line.length <= width))
    assert.strictEqual(lines.join("").replaceAll(" ", ""), words.join(""))
  })

  it("what does not fit beside goes below", () => {
    assert.strictEqual(beside([["--a", "one two"]], 80), "  --a  one two")
    assert.strictEqual(
      beside([["--a-very-long-flag", "one two three"]], 20),
      "  --a-very-long-flag\n      one two three"
    )
  })
})
