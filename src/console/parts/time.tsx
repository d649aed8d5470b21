import { useEffect, useState } from 'react'

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const
const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

/** How long ago, or how soon: `3 minutes ago`. */
function formatRelative(ms: number): string {
  const [unit, length] = units.find(([, each]) => Math.abs(ms) >= each) ?? units[3]
  return format.format(Math.round(ms / length), unit)
}

/** How often a shown time is brought up to date, in ms. */
const refreshMs = 1_000

/** A time as people say it, with the exact one as its title. */
export function Time({ at }: { readonly at: string }) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), refreshMs)
    return () => clearInterval(timer)
  }, [])
  return (
    <time dateTime={at} title={at}>
      {formatRelative(Date.parse(at) - now)}
    </time>
  )
}
