import { analysis } from './analysis.ts'
import { demo } from './demo.ts'
import type { TaskKind } from './kind.ts'

/** Every kind of work. A worker runs all of them. */
export const taskKinds = [analysis, demo] as const satisfies readonly TaskKind[]

/** The kind of a task whose client names none. */
export const defaultKind = analysis.name

export type RegisteredKind = (typeof taskKinds)[number]

/** The kinds that clients may send. */
export function acceptedKinds({ debug }: { readonly debug: boolean }): readonly RegisteredKind[] {
  return taskKinds.filter((kind: TaskKind) => debug || kind.isDebug !== true)
}
