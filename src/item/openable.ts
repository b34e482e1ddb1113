/** What a step accepts as a processor, as an opened one. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ItemProcessor, Process } from "./ItemProcessor.js"

type Function_ = (item: any) => Effect.Effect<any, any, any>

export interface Openable {
  readonly open: Effect.Effect<Process<any, any, any, any>, any, Scope.Scope | any>
}

export const toProcessor = (processor: ItemProcessor<any, any, any, any> | Function_): Openable =>
  typeof processor === "function" ? { open: Effect.succeed({ _tag: "Effect", apply: processor }) } : processor
