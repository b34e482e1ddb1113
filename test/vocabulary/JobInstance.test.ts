import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { JobInstance } from "../../src/vocabulary/JobInstance.js"

describe("JobInstance", () => {
  it.prop("survives storage as JSON text (EXEC-1)", [JobInstance], ([instance]) => {
    const schema = Schema.parseJson(JobInstance)
    assert.deepStrictEqual(Schema.decodeSync(schema)(Schema.encodeSync(schema)(instance)), instance)
  })

  it("times are stored as ISO 8601 text (EXEC-1)", () => {
    const instance = { id: 1, jobName: "import", jobKey: "ab", createTime: DateTime.unsafeMake(0) }
    assert.deepStrictEqual(Schema.encodeSync(JobInstance)(instance), {
      id: 1,
      jobName: "import",
      jobKey: "ab",
      createTime: "1970-01-01T00:00:00.000Z"
    })
  })
})
