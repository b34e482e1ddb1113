/** The rules of the house, tried on small houses with one thing wrong in each. */
import { assert, describe, it } from "@effect/vitest"
import { drawingOf, floors, graphOf, problemsOf, roomOf } from "../../scripts/layers.mjs"

const problems = (texts: { readonly [file: string]: string }) => problemsOf(graphOf(texts))

describe("layers", () => {
  it("a file may import from its own room and from rooms below", () => {
    assert.deepStrictEqual(
      problems({
        "base/text": `import * as String from "effect/String"`,
        "vocabulary/BatchStatus": `import { oneLine } from "../base/text.js"`,
        "vocabulary/Counts": `import type { BatchStatus } from "./BatchStatus.js"`,
        "engine/step/state": `import type { Counts } from "../../vocabulary/Counts.js"`,
        "index": `export * as Counts from "./vocabulary/Counts.js"`
      }),
      []
    )
  })

  it("an import from a room above is refused, types included", () => {
    assert.deepStrictEqual(
      problems({
        "vocabulary/Counts": `import type { Step } from "../definition/Step.js"`,
        "definition/Step": ""
      }),
      ["src/vocabulary/Counts.ts imports types from definition/Step, which is not below it"]
    )
    assert.deepStrictEqual(
      problems({ "engine/step/state": `export { run } from "../chunk/step.js"`, "engine/chunk/step": "" }),
      ["src/engine/step/state.ts imports from engine/chunk/step, which is not below it"]
    )
  })

  it("rooms on one floor do not import from each other", () => {
    for (const [from, to] of [["sql", "file"], ["file", "sql"], ["sql", "definition"], ["cli", "testing"]]) {
      assert.deepStrictEqual(
        problems({ [`${from}/a`]: `import * as B from "../${to}/b.js"`, [`${to}/b`]: "" }),
        [`src/${from}/a.ts imports from ${to}/b, which is not below it`]
      )
    }
  })

  it("a circle between two files of a room is refused, but for types", () => {
    assert.deepStrictEqual(
      problems({ "item/a": `import { b } from "./b.js"`, "item/b": `import { a } from "./a.js"` }),
      ["files import each other in a circle: item/a -> item/b -> item/a"]
    )
    assert.deepStrictEqual(
      problems({ "item/a": `import { b } from "./b.js"`, "item/b": `import type { A } from "./a.js"` }),
      []
    )
  })

  it("a circle over three files is found", () => {
    assert.deepStrictEqual(
      problems({
        "item/a": `import { b } from "./b.js"`,
        "item/b": `export * from "./c.js"`,
        "item/c": `import { a } from "./a.js"`
      }),
      ["files import each other in a circle: item/a -> item/b -> item/c -> item/a"]
    )
  })

  it("a file of decisions does not import effects", () => {
    for (const file of ["decisions/RestartPolicy", "engine/chunk/machine", "definition/routes"]) {
      assert.deepStrictEqual(
        problems({ [file]: `import * as Effect from "effect/Effect"` }),
        [`src/${file}.ts decides and has to stay pure, but imports effect/Effect`]
      )
    }
  })

  it("a file without a room, or in a room without a floor, is refused", () => {
    assert.deepStrictEqual(problems({ "Stray": "", "attic/box": "", "engine/loft/box": "" }), [
      "src/Stray.ts stands in no room: give its folder a floor in scripts/layers.mjs, or move the file",
      "src/attic/box.ts stands in no room: give its folder a floor in scripts/layers.mjs, or move the file",
      "src/engine/loft/box.ts stands in no room: give its folder a floor in scripts/layers.mjs, or move the file"
    ])
  })

  it("a package that its users need not install is refused", () => {
    assert.deepStrictEqual(
      problems({
        "item/a": `import * as SqlClient from "@effect/sql/SqlClient"`,
        "sql/b": `import * as SqlClient from "@effect/sql/SqlClient"`,
        "file/c": `import * as Fs from "node:fs/promises"`,
        "cli/d": `import effectual from "effectual"`
      }),
      [
        "src/item/a.ts imports the package @effect/sql/SqlClient, which its room does not ask for",
        "src/cli/d.ts imports the package effectual, which its room does not ask for"
      ]
    )
  })

  it("the entry point pulls in no room that has an entry point of its own", () => {
    assert.deepStrictEqual(
      problems({ "index": `export * as Sql from "./sql/index.js"`, "sql/index": "" }),
      ["src/index.ts imports from sql/index, which is not below it"]
    )
  })

  it("the drawing shows each room once, from the top floor to the ground", () => {
    const drawing = drawingOf(graphOf({
      "base/text": "",
      "vocabulary/Counts": `import * as Text from "../base/text.js"`,
      "item/a": `import * as Text from "../base/text.js"\nimport * as Counts from "../vocabulary/Counts.js"`
    })).split("\n")
    assert.strictEqual(drawing.length, floors.flat().length)
    assert.include(drawing, " 4  item             base, vocabulary")
    assert.include(drawing, " 1  vocabulary       base")
    assert.strictEqual(drawing.at(-1), " 0  base")
  })

  it("the room of a file is its folder, that of the engine's files the folder below", () => {
    assert.strictEqual(roomOf("item/reader"), "item")
    assert.strictEqual(roomOf("engine/chunk/step"), "engine/chunk")
    assert.strictEqual(roomOf("testing/crash/life"), "testing")
    assert.strictEqual(roomOf("index"), undefined)
  })
})
