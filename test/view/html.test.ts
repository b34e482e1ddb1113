/** Text in pages is text, and names in addresses are names, whatever they hold. */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { visible } from "../../src/base/text.js"
import { html, nameOf, namePart, urlPart } from "../../src/view/html.js"

const hostile = FastCheck.oneof(
  FastCheck.string({ unit: "binary" }),
  FastCheck.constantFrom(
    "<script>",
    "\" onload=\"x",
    "'><img src=x>",
    "&lt;",
    "javascript:x",
    "\u202egnp.exe",
    "\u061c\u2066",
    "\u001b[2J",
    "\u0000",
    "..",
    ".",
    "~",
    "~..",
    "a/../b",
    "%2e%2e",
    "\ud800",
    "\u{1f4a5}"
  )
)

describe("markup", () => {
  it("law: no text becomes an element, leaves its attribute, or commands a screen", () => {
    FastCheck.assert(FastCheck.property(hostile, (text) => {
      const { markup } = html`<a title="${text}">${text}</a>`
      assert.match(markup, /^<a title="[^"<>]*">[^"<>]*<\/a>$/)
      assert.notMatch(markup.replace(/&(amp|lt|gt|quot|#39);/g, ""), /&/)
      const shown = markup.replace(/[\n\t\r]/g, "")
      assert.strictEqual(visible(shown), shown, "nothing that a terminal would obey is in a page either")
    }))
  })

  it("law: an address leads to the job of its name, as a browser reads it, and never to elsewhere", () => {
    FastCheck.assert(FastCheck.property(FastCheck.array(hostile, { minLength: 1, maxLength: 3 }), (parts) => {
      const name = parts.join("")
      FastCheck.pre(name !== "")
      const url = new URL(`/batch/jobs/${namePart(name)}?of=${urlPart(name)}`, "http://localhost:1")
      const segments = url.pathname.split("/")
      assert.deepStrictEqual(segments.slice(0, 3), ["", "batch", "jobs"])
      assert.lengthOf(segments, 4)
      const whole = Buffer.from(name, "utf8").toString("utf8")
      assert.strictEqual(nameOf(decodeURIComponent(segments[3]!)), whole)
      assert.strictEqual(url.searchParams.get("of"), whole)
    }))
  })
})
