import { z } from 'zod'
import { defaultPriority, maxPriority } from './task.ts'

/** How far ahead a task may be scheduled. Clients that need longer enqueue it later, from their own calendar. */
const horizonDays = 30
const horizonMs = horizonDays * 24 * 60 * 60 * 1_000

const msPerUnit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds from `500ms`, `90s`, `15m`, `24h`: durations are written as in the environment. */
function parseDuration(text: string): number {
  return Number.parseInt(text, 10) * msPerUnit[text.replace(/\d+/, '') as keyof typeof msPerUnit]
}

/** When a task runs and before which others: the members of POST /tasks that every kind shares. */
export function scheduleShape() {
  return {
    priority: z
      .int('must be a whole number')
      .min(0, 'must be at least 0')
      .max(maxPriority, `must be at most ${maxPriority}`)
      .optional()
      .meta({
        description: `Tasks of priority ${maxPriority} are claimed first`,
        default: defaultPriority,
      }),
    run_at: z.iso
      .datetime({ offset: true, error: 'must be a time such as 2026-01-31T08:00:00Z' })
      .transform((text) => Date.parse(text))
      .refine((time) => time <= Date.now() + horizonMs, `must be at most ${horizonDays} days from now`)
      .optional()
      .meta({
        description: `Not claimed before this time (RFC 3339), at most ${horizonDays} days from now. A past time is due at once`,
      }),
    delay: z
      .string()
      .regex(/^\d+(ms|s|m|h)$/, 'must be a duration such as 500ms, 90s, 15m or 24h')
      .transform(parseDuration)
      .refine((ms) => ms <= horizonMs, `must be at most ${horizonDays * 24}h`)
      .optional()
      .meta({
        description: `Not claimed before this time has passed, at most ${horizonDays * 24}h. Not together with \`run_at\``,
        example: '15m',
      }),
  }
}

/** The members of `scheduleShape` as a client sends them. */
export interface ScheduleInput {
  readonly priority?: number | undefined
  readonly run_at?: string | undefined
  readonly delay?: string | undefined
}

/** The members of `scheduleShape` after validation: times in ms, `run_at` since the epoch. */
export interface Schedule {
  readonly priority?: number | undefined
  readonly run_at?: number | undefined
  readonly delay?: number | undefined
}
