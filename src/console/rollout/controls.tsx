const rates = [10, 20, 30, 40, 50] as const

/** Starts and pauses the stream, and sets its rate. */
export function Controls(props: {
  readonly isRunning: boolean
  readonly rate: number
  readonly onRun: (isRunning: boolean) => void
  readonly onRate: (ratePerSecond: number) => void
  readonly onReset: () => void
  readonly onExport: () => void
}) {
  const { isRunning, rate, onRun, onRate, onReset, onExport } = props
  return (
    <div className="actions controls">
      <button type="button" className="primary" onClick={() => onRun(!isRunning)}>
        {isRunning ? 'Pause' : 'Send requests'}
      </button>
      <label>
        Requests per second
        <select value={rate} onChange={({ target }) => onRate(Number(target.value))}>
          {(rates as readonly number[]).includes(rate) ? null : <option value={rate}>{rate}</option>}
          {rates.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </label>
      <button type="button" onClick={onReset}>
        Start the count again
      </button>
      <button type="button" onClick={onExport}>
        Export as JSON
      </button>
    </div>
  )
}
