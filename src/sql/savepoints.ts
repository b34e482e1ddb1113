/**
 * The transactions nested in a nested one, as `@effect/sql` opens them on one connection: by their depth, with one name for
 * each depth, and without a word when one of them ends well.
 *
 * So that two of them that are open side by side do not undo each other's work, this follows who acts: whoever acts at a
 * depth shows that everything deeper has ended, and what has ended must not act any more.
 */

/** @internal */
export interface Level {
  /** What stands for its transaction in the fibers that run in it; unknown until its first statement. */
  place: object | undefined
  readonly parent: object
  /** The fiber that opened it. */
  readonly opener: object
}

/** @internal */
export interface Savepoints {
  /** The open ones, the outermost first. */
  readonly levels: Array<Level>
  /** Places whose transactions are over, as it seems. */
  ended: WeakSet<object> | undefined
  /** Fibers that opened one which seemed to be over before a statement of it was seen. */
  unseen: WeakSet<object> | undefined
}

/** Who acts: a statement in the transaction of a place, at its depth, run by a fiber. */
interface Actor {
  readonly place: object
  readonly depth: number
  readonly fiber: object
}

/** @internal */
export const make = (): Savepoints => ({ levels: [], ended: undefined, unseen: undefined })

/**
 * A statement runs. False when two transactions are open side by side.
 *
 * @internal
 */
export const act = (state: Savepoints, { depth, fiber, place }: Actor): boolean => {
  if (state.ended?.has(place) === true || depth > state.levels.length) {
    return false
  }
  closeFrom(state, depth)
  const own = state.levels[depth - 1]
  if (own === undefined || own.place === place) {
    return true
  }
  if (own.place !== undefined || (own.opener !== fiber && state.unseen?.has(fiber) === true)) {
    return false
  }
  own.place = place
  return true
}

/**
 * A transaction is opened in that of the actor.
 *
 * @internal
 */
export const enter = (state: Savepoints, actor: Actor): boolean => {
  const allowed = act(state, actor)
  if (allowed) {
    state.levels.push({ place: undefined, parent: actor.place, opener: actor.fiber })
  }
  return allowed
}

/**
 * The one that was opened in the transaction of the actor is rolled back.
 *
 * @internal
 */
export const leave = (state: Savepoints, { depth, fiber, place }: Actor): boolean => {
  const level = state.levels[depth]
  if (level === undefined || level.parent !== place || (level.place === undefined && level.opener !== fiber)) {
    return false
  }
  closeFrom(state, depth)
  return true
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const closeFrom = (state: Savepoints, depth: number): void => {
  for (const { opener, place } of state.levels.splice(depth)) {
    if (place === undefined) {
      ;(state.unseen ??= new WeakSet()).add(opener)
    } else {
      ;(state.ended ??= new WeakSet()).add(place)
    }
  }
}
