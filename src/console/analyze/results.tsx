import { baseUrl } from '../api/client.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { BarPlot } from '../plots/bar-plot.tsx'
import { BoxPlot } from '../plots/box-plot.tsx'
import type { PreparedPayload } from './dataset.ts'
import { formatCurl } from './format-curl.ts'
import { SummaryTable } from './summary-table.tsx'
import type { Summary } from './use-analysis.ts'
import { useBlobText } from './use-blob-text.ts'

/** The response of the service, with plots of the input. */
export function Results({
  summary,
  payload,
}: {
  readonly summary: Summary
  readonly payload: PreparedPayload
}) {
  const { distribution, invalid, wordLengths } = payload
  const mostCommon = wordLengths.toSorted((a, b) => b.count - a.count)[0]
  return (
    <>
      <InvalidNote invalid={invalid} />
      <SummaryTable summary={summary} />
      <div className="actions">
        <CopyJson summary={summary} />
        <CopyCurl body={payload.body} />
      </div>
      {distribution !== undefined && (
        <>
          <BarPlot
            caption="Histogram"
            label={`${distribution.count} numbers from ${distribution.minimum} to ${distribution.maximum} in ${distribution.bins.length} bins`}
            bars={distribution.bins}
            columns={['range', 'numbers']}
          />
          <BoxPlot box={distribution} />
        </>
      )}
      {mostCommon !== undefined && (
        <BarPlot
          caption="Word lengths"
          label={`most words have ${mostCommon.start} characters`}
          bars={wordLengths}
          columns={['characters', 'words']}
        />
      )}
    </>
  )
}

function InvalidNote({ invalid: { count, examples } }: Pick<PreparedPayload, 'invalid'>) {
  if (count === 0) return null
  return (
    <p className="notice" role="status">
      {count.toLocaleString('en')}{' '}
      {count === 1 ? 'value is not a number and was' : 'values are not numbers and were'} left out
      {examples.length > 0 && ': '}
      {examples.map(({ line, token }, i) => (
        <span key={`${line} ${token}`}>
          {i > 0 && ', '}
          <code>{token}</code> in line {line}
        </span>
      ))}
      .
    </p>
  )
}

function CopyJson({ summary }: { readonly summary: Summary }) {
  return <CopyButton label="Copy as JSON" text={() => JSON.stringify(summary, null, 2)} />
}

function CopyCurl({ body }: Pick<PreparedPayload, 'body'>) {
  const text = useBlobText(body)
  return <CopyButton label="Copy as curl" text={() => formatCurl(new URL('payload', baseUrl).href, text)} />
}
