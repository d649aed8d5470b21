import type { Instances } from './instances.ts'
import type { Ledger } from './ledger.ts'

/** Saves the account, the last ten minutes and all instance plots as a file. */
export function exportHistory(ledger: Ledger, instances: Instances): void {
  const { recent: _recent, ...account } = ledger
  const history = {
    exported_at: new Date().toISOString(),
    address: location.origin,
    account,
    instances: [...instances.values()].map(({ latest, points }) => ({ ...latest.instance, points })),
  }
  const url = URL.createObjectURL(new Blob([JSON.stringify(history, null, 2)], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = 'tally-rollout.json'
  link.click()
  URL.revokeObjectURL(url)
}
