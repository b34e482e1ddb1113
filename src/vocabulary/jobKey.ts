/**
 * The digest that, with the job's name, identifies a job instance (JOB-1).
 */
import { createHash } from "node:crypto"
import type { Json } from "../base/json.js"
import { canonical } from "../base/json.js"

/**
 * SHA-256, as 64 lower-case hex digits, of the canonical text of the identifying
 * parameters sorted by name (JOB-2, JOB-3, JOB-4). The text is JSON, so a string
 * `"1"` and a number `1` give different keys. Names are taken to be unique.
 *
 * The form of the text is part of the stored data: changing it would detach
 * every stored instance from its parameters.
 *
 * @internal
 */
export const jobKey = (
  parameters: ReadonlyArray<{ readonly name: string; readonly value: Json; readonly identifying: boolean }>
): string => {
  const identifying = parameters.filter((parameter) => parameter.identifying)
  const record = Object.fromEntries(identifying.map(({ name, value }) => [name, value]))
  return createHash("sha256").update(canonical(record)).digest("hex")
}
