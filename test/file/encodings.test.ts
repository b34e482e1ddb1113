import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { Buffer } from "node:buffer"
import * as encodings from "../../src/file/encodings.js"

const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)

describe("encodings", () => {
  it.prop("what an encoding can hold comes back as it is, and what it cannot hold is named (OWN-24)", [
    FastCheck.constantFrom(...encodings.encodings),
    FastCheck.oneof(
      FastCheck.fullUnicodeString(),
      FastCheck.string16bits(),
      FastCheck.stringOf(FastCheck.constantFrom("a", "é", "€", "Ÿ", "\u0081", "\u0080", "\uFFFD", "😀"))
    )
  ], ([encoding, text]) => {
    if (encodings.misfit(text, encoding) === undefined) {
      const { state, text: found } = encodings.decode(encodings.encode(text, encoding), encoding)
      assert.strictEqual(found, text)
      assert.isTrue(state === "clean" || encodings.valid(text, encoding))
    } else {
      assert.isTrue(!encodings.wellFormed(text) || encoding === "latin1" || encoding === "windows-1252")
    }
  })

  // Not held against TextDecoder, which takes Windows-1252 for ISO 8859-1 in some releases of Node.
  it("has of Windows-1252 what its table at unicode.org has, and no meaning for five bytes", () => {
    const standard = "20AC FFFD 201A 0192 201E 2026 2020 2021 02C6 2030 0160 2039 0152 FFFD 017D FFFD " +
      "FFFD 2018 2019 201C 201D 2022 2013 2014 02DC 2122 0161 203A 0153 FFFD 017E 0178"
    const { state, text } = encodings.decode(Buffer.from(bytes), "windows-1252")
    const codes = Array.from(text, (char) => char.charCodeAt(0))
    assert.deepStrictEqual(codes.slice(0x80, 0xa0), standard.split(" ").map((code) => parseInt(code, 16)))
    assert.deepStrictEqual([...codes.slice(0, 0x80), ...codes.slice(0xa0)], [
      ...bytes.slice(0, 0x80),
      ...bytes.slice(0xa0)
    ])
    assert.deepStrictEqual([state, encodings.valid("\uFFFD", "windows-1252")], ["damaged", false])
  })

  it("names the character that does not fit", () => {
    assert.strictEqual(encodings.misfit("5 €", "latin1"), "the character \"€\" (U+20AC)")
    assert.strictEqual(encodings.misfit("5 €", "windows-1252"), undefined)
    assert.strictEqual(encodings.misfit("😀", "windows-1252"), "the character \"😀\" (U+1F600)")
    assert.strictEqual(encodings.misfit("\u0080", "windows-1252"), "the character \"\u0080\" (U+0080)")
    assert.strictEqual(encodings.misfit("x\uDC00", "utf16be"), "half of a surrogate pair")
  })
})
