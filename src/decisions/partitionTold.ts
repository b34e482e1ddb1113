/**
 * Of which executions of partitions the listeners of a step have been told: a value that is stored with the step, so that who
 * runs the step next tells of the others. Pure. It stays small: executions that began one after the other are one range.
 */
import * as Schema from "effect/Schema"

/**
 * - `through`: of executions up to this id all has been told, except the end of those that are in `begun`.
 * - `begun`: those of which only the beginning was told.
 * - `ended`: first and last id of those behind `through` of which all was told.
 */
export const Mark = Schema.Struct({
  through: Schema.Int,
  begun: Schema.Array(Schema.Int),
  ended: Schema.Array(Schema.Tuple(Schema.Int, Schema.Int))
})

export type Mark = typeof Mark.Type

export const nothing: Mark = { through: 0, begun: [], ended: [] }

/** What a process knows: by id whether the end was told, of all that are not `forgotten` as they have ended up to that id. */
export const markOf = (told: ReadonlyMap<number, { readonly ended: boolean }>, forgotten: number): Mark => {
  const begun: Array<number> = []
  const ended: Array<[number, number]> = []
  for (const [id, { ended: isEnded }] of [...told].sort(([one], [other]) => one - other)) {
    const last = ended[ended.length - 1]
    if (!isEnded) {
      begun.push(id)
    } else if (id > forgotten && last?.[1] === id - 1) {
      last[1] = id
    } else if (id > forgotten) {
      ended.push([id, id])
    }
  }
  return { through: forgotten, begun, ended }
}

/** What is left to know when all that has ended, and has not changed since `oldest`, is forgotten: it can't change any more. */
export const forget = <Entry extends { readonly ended: boolean; readonly changedAt: number }>(
  told: ReadonlyMap<number, Entry>,
  forgotten: number,
  oldest: number
): { readonly told: Map<number, Entry>; readonly forgotten: number } => {
  const left = new Map<number, Entry>()
  let through = forgotten
  for (const [id, entry] of told) {
    if (entry.ended && entry.changedAt < oldest) {
      through = Math.max(through, id)
    } else {
      left.set(id, entry)
    }
  }
  return { told: left, forgotten: through }
}

/** Those behind `through` of which all was told. */
export const endedOf = ({ ended }: Mark): ReadonlyArray<number> =>
  ended.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index))

/** What has been told of an execution. */
export const toldOf = ({ begun, ended, through }: Mark, id: number): "nothing" | "begin" | "all" =>
  begun.includes(id)
    ? "begin"
    : id <= through || ended.some(([first, last]) => first <= id && id <= last)
    ? "all"
    : "nothing"
