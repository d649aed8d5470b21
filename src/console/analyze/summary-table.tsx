import type { Summary } from './use-analysis.ts'

const numericRows = [
  ['count', 'Count'],
  ['minimum', 'Minimum'],
  ['maximum', 'Maximum'],
  ['mean', 'Mean'],
  ['median', 'Median'],
  ['standard_deviation', 'Standard deviation'],
] as const

const textRows = [
  ['word_count', 'Words'],
  ['character_count', 'Characters'],
  ['character_count_no_spaces', 'Characters without spaces'],
  ['sentence_count', 'Sentences'],
  ['paragraph_count', 'Paragraphs'],
] as const

/** Shows all digits, because they are exact. */
export function SummaryTable({ summary }: { readonly summary: Summary }) {
  const { numeric_analysis: numeric, text_analysis: text, processing_time_ms } = summary
  return (
    <div className="summary">
      <Rows caption="Numbers" rows={numericRows.map(([key, label]) => [label, numeric[key]])} />
      <Rows
        caption="Text"
        rows={[
          ...textRows.map(([key, label]) => [label, text[key]] as const),
          ['Analysis, in ms', processing_time_ms],
        ]}
      />
    </div>
  )
}

function Rows(props: { readonly caption: string; readonly rows: readonly (readonly [string, number])[] }) {
  return (
    <table>
      <caption>{props.caption}</caption>
      <tbody>
        {props.rows.map(([label, value]) => (
          <tr key={label}>
            <th scope="row">{label}</th>
            <td className="number">{String(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
