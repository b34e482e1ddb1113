import { assert, describe, it } from "@effect/vitest"
import { placeText } from "../../src/operator/placeText.js"

describe("where a step goes on, in words", () => {
  it.each([
    [
      { reader: { behind: 1352621438, file: { inode: 23, size: 36016 }, line: 1202, offset: 21618, sum: 18 } },
      "line 1202, byte 21618"
    ],
    [{ reader: 1920 }, "{\"reader\":1920}"],
    [{ reader: { after: { id: "7" }, read: 7 } }, "{\"reader\":{\"after\":{\"id\":\"7\"},\"read\":7}}"],
    [{ reader: "x".repeat(500) }, `{"reader":"${"x".repeat(148)}…`],
    ["end", "\"end\""]
  ])("%j is %s", (position, text) => {
    assert.strictEqual(placeText(position), text)
  })
})
