/**
 * How a command line is read: words, flags and values, and what is said when it makes no sense.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import type { Command } from "../../src/cli/command.js"
import { command, read, wantsJson } from "../../src/cli/command.js"
import * as Flag from "../../src/cli/flag.js"

const json = Flag.toggle("json", "")
const colour = Flag.optional("colour", "colour", "", Flag.oneOf(["red", "blue"]), ["red", "blue"])
const limit = Flag.withDefault(Flag.optional("limit", "number", "", Flag.integer), 20)
const tag = Flag.repeated("tag", "text", "", Flag.anyText)
const file = { ...Flag.optional("file", "text", "", Flag.anyText), isRequired: true }

const commands: ReadonlyArray<Command<object>> = [
  command({ words: ["run", "import"], group: "", summary: "", flags: { file, json }, args: {} }, (input) => input),
  command({ words: ["run", "tidy"], group: "", summary: "", flags: { json }, args: {} }, (input) => input),
  command(
    { words: ["list", "things"], group: "", summary: "", flags: { colour, limit, tag, json }, args: {} },
    (input) => input
  ),
  command(
    {
      words: ["show"],
      group: "",
      summary: "",
      flags: { json },
      args: { id: Flag.argument("id", "", Flag.integer), name: Flag.optionalArgument("name", "", Flag.anyText) }
    },
    (input) => input
  )
]

const asked = (...args: ReadonlyArray<string>) => read(commands, args)

const input = (...args: ReadonlyArray<string>): unknown => {
  const answer = asked(...args)
  assert.isTrue(Either.isRight(answer) && answer.right._tag === "Run", JSON.stringify(answer))
  return Either.isRight(answer) && answer.right._tag === "Run" ? answer.right.do : undefined
}

const problem = (...args: ReadonlyArray<string>): string =>
  Either.match(asked(...args), { onLeft: ({ problem }) => problem, onRight: () => "" })

describe("a command line", () => {
  it("flags and words may stand in any order, with or without =", () => {
    const expected = { colour: Option.some("red"), limit: 3, tag: ["a", "b=c"], json: true }
    for (
      const args of [
        ["list", "things", "--colour", "red", "--limit=3", "--tag", "a", "--tag=b=c", "--json"],
        ["--json", "--tag=a", "list", "--limit=3", "things", "--colour=red", "--tag=b=c"]
      ]
    ) {
      assert.deepStrictEqual(input(...args), expected, args.join(" "))
    }
    assert.deepStrictEqual(input("show", "--json", "7"), { json: true, id: 7, name: Option.none() })
  })

  it("the last value counts, unless a flag may be repeated; without one the default holds", () => {
    assert.deepStrictEqual(input("list", "things", "--limit", "1", "--limit", "2"), {
      colour: Option.none(),
      limit: 2,
      tag: [],
      json: false
    })
  })

  it("after -- everything is an argument", () => {
    assert.deepStrictEqual(input("show", "7", "--", "--json"), { json: false, id: 7, name: Option.some("--json") })
    assert.isFalse(wantsJson(["show", "--", "--json"]))
    assert.isTrue(wantsJson(["show", "--json", "--"]))
  })

  it.prop("any text is a value behind =", { text: FastCheck.string() }, ({ text }) => {
    assert.deepStrictEqual(input("run", "import", `--file=${text}`), { file: Option.some(text), json: false })
  })

  it.prop("whatever is typed is understood or refused, never thrown", {
    args: FastCheck.array(
      FastCheck.oneof(
        FastCheck.constantFrom("run", "import", "list", "things", "show", "7", "--", "-", "--json", "--limit", "-h"),
        FastCheck.string({ maxLength: 4 }).map((text) => `--${text}`),
        FastCheck.string({ maxLength: 4 })
      ),
      { maxLength: 6 }
    )
  }, ({ args }) => {
    const answer = asked(...args)
    assert.isTrue(Either.isRight(answer) || answer.left.problem !== "")
  })

  it("words are told from each other whatever their case", () => {
    assert.deepStrictEqual(input("RUN", "Tidy"), { json: false })
  })

  it("says what is wrong, and what is near", () => {
    assert.strictEqual(
      problem("rnu", "tidy"),
      "There is no command \"rnu\" (did you mean \"run\"?): choose one of run, list, show"
    )
    assert.strictEqual(
      problem("run", "tdiy"),
      "There is no job \"tdiy\" (did you mean \"tidy\"?): choose one of import, tidy"
    )
    assert.strictEqual(problem("list"), "\"list\" needs one more word: choose one of things")
    assert.strictEqual(
      problem("list", "thongs"),
      "There is no \"list\" command \"thongs\" (did you mean \"things\"?): choose one of things"
    )
    assert.strictEqual(
      problem("list", "things", "--color", "red"),
      "\"list things\" has no flag --color (did you mean --colour?)"
    )
    assert.strictEqual(problem("list", "things", "--colour", "green"), "--colour must be one of red, blue")
    assert.strictEqual(problem("list", "things", "--limit", "1.5"), "--limit must be a whole number")
    assert.strictEqual(problem("list", "things", "--limit"), "--limit needs a value")
    assert.strictEqual(
      problem("list", "things", "--tag", "--json"),
      "--tag needs a value: write --tag=--json if \"--json\" is meant"
    )
    assert.strictEqual(problem("run", "import"), "--file is missing")
    assert.strictEqual(problem("show"), "<id> is missing")
    assert.strictEqual(problem("show", "x"), "<id> must be a whole number")
    assert.strictEqual(problem("show", "1", "a", "b"), "\"b\" is one word too many")
    assert.strictEqual(problem("show", "1", "--json=yes"), "--json takes no value")
    assert.strictEqual(
      problem("--log-level", "loud", "show", "1"),
      "--log-level must be one of all, trace, debug, info, warning, error, fatal, none"
    )
    assert.strictEqual(problem("--completions", "csh"), "--completions must be one of bash, zsh, fish")
  })

  it("help is about as much as was understood", () => {
    for (
      const [args, within] of [
        [[], []],
        [["--help"], []],
        [["run", "-h"], ["run"]],
        [["run", "import", "--help"], ["run", "import"]],
        [["list", "things", "--limit", "x", "--help"], ["list", "things"]]
      ] as const
    ) {
      assert.deepStrictEqual(asked(...args), Either.right({ _tag: "Help", within }) as never, args.join(" "))
    }
  })
})
