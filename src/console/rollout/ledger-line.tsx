import type { Ledger } from './ledger.ts'

const parts = [
  ['answered', 'answered'],
  ['refused', 'refused'],
  ['lost', 'lost'],
  ['inFlight', 'in flight'],
] as const

/** The sum that must add up: sent = answered + refused + lost + in flight. */
export function LedgerLine({ ledger }: { readonly ledger: Ledger }) {
  return (
    <p className="ledger">
      <Count name="sent" value={ledger.sent} />
      {parts.map(([key, name], i) => (
        <span key={key}>
          <span className="operator">{i === 0 ? '=' : '+'}</span>
          <Count name={name} value={ledger[key]} />
        </span>
      ))}
    </p>
  )
}

function Count({ name, value }: { readonly name: string; readonly value: number }) {
  return (
    <span className="ledger-count" data-count={name} data-some={value > 0}>
      <span className="number">{value.toLocaleString('en')}</span> {name}
    </span>
  )
}
