import { type FormEvent, useState } from 'react'
import type { Issue } from '../api/problem.ts'
import { OperationLink } from '../parts/operation-link.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { formatRoute, navigate, type Route } from '../route.ts'
import type { NumberSource } from './dataset.ts'
import { NumbersInput } from './numbers-input.tsx'
import { Results } from './results.tsx'
import { TaskProgress } from './task-progress.tsx'
import { TextInput } from './text-input.tsx'
import { type Analysis, useAnalysis } from './use-analysis.ts'
import { useDataset } from './use-dataset.ts'

const example = { numbers: '2 4 4 4 5 5 7 9', text: 'Every request is counted. Not one is lost.' }

/** Maximum length, in characters, of an input that the address holds. */
const maxAddressLength = 1_000

/** The view to analyze numbers and text. */
export function AnalyzeView({ params }: Pick<Route, 'params'>) {
  const [numbers, setNumbers] = useState(params.get('numbers') ?? example.numbers)
  const [text, setText] = useState(params.get('text') ?? example.text)
  const [column, setColumn] = useState(0)
  const { dataset, file, readFile, clearFile } = useDataset()
  const { analysis, analyze } = useAnalysis(dataset)

  const openFile = async (chosen: File): Promise<void> => {
    const loaded = await readFile(chosen)
    setColumn(0)
    if (loaded?.text !== undefined) setText(loaded.text)
    // A text without numbers goes to the text field.
    if (loaded?.columns.length === 0) clearFile()
  }
  const start = (asTask: boolean): void => {
    const source: NumberSource = file.state === 'loaded' ? { column } : { typed: numbers }
    keepInAddress(file.state === 'loaded' ? undefined : { numbers, text })
    void analyze({ source, text }, asTask)
  }
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault()
    start(false)
  }
  const issues = analysis.state === 'failed' ? analysis.problem.issues : []
  return (
    <>
      <h1>Analyze</h1>
      <p className="lead">
        Exact statistics of numbers and text, by{' '}
        <OperationLink operation="payload/analyzePayload">POST /payload</OperationLink>.
      </p>
      <div className="analyze">
        <form onSubmit={submit} aria-label="Input">
          <NumbersInput
            {...{ numbers, setNumbers, file, openFile, clearFile, column, setColumn }}
            issues={issuesOf(issues, '/numbers')}
          />
          <TextInput value={text} onChange={setText} issues={issuesOf(issues, '/text')} />
          <div className="actions">
            <button type="submit" className="primary" disabled={dataset === undefined}>
              Analyze
            </button>
            <button type="button" onClick={() => start(true)} disabled={dataset === undefined}>
              Run as a task
            </button>
          </div>
        </form>
        <Outcome analysis={analysis} />
      </div>
    </>
  )
}

/** The result, the error, or the progress. */
function Outcome({ analysis }: { readonly analysis: Analysis }) {
  return (
    <section className="outcome" aria-label="Result" aria-busy={analysis.state === 'running'}>
      {analysis.state === 'idle' && <p className="empty">The result appears here.</p>}
      {analysis.state === 'running' && <TaskProgress task={analysis.task} />}
      {analysis.state === 'failed' && <ProblemNote problem={analysis.problem} />}
      {analysis.state === 'done' && <Results {...analysis} />}
    </section>
  )
}

/** The issues of one member of the body. The body of a task nests the payload one level deeper. */
const issuesOf = (issues: readonly Issue[], pointer: string): Issue[] =>
  issues.filter((issue) => {
    const path = issue.pointer.replace(/^\/payload\b/, '')
    return path === pointer || path.startsWith(`${pointer}/`)
  })

function keepInAddress(input: { readonly numbers: string; readonly text: string } | undefined): void {
  const isShort = input !== undefined && input.numbers.length + input.text.length <= maxAddressLength
  navigate(formatRoute('analyze', isShort ? { ...input } : {}), { replace: true })
}
