import type { ClipboardEvent, DragEvent } from 'react'
import type { Issue } from '../api/problem.ts'
import { Field } from '../parts/field.tsx'
import type { FileState, LoadedFile } from './use-dataset.ts'

/** In characters. Treats a longer text as a file, because a text field is slow with a million numbers. */
const maxTyped = 200_000

export interface NumbersInputProps {
  readonly numbers: string
  readonly setNumbers: (numbers: string) => void
  readonly file: FileState
  readonly openFile: (file: File) => void
  readonly clearFile: () => void
  readonly column: number
  readonly setColumn: (column: number) => void
  readonly issues: readonly Issue[]
}

/** Input for numbers: typed, pasted or from a file. */
export function NumbersInput(props: NumbersInputProps) {
  const { numbers, setNumbers, file, openFile, clearFile, column, setColumn, issues } = props
  const drop = (event: DragEvent): void => {
    event.preventDefault()
    const [dropped] = event.dataTransfer.files
    if (dropped !== undefined) openFile(dropped)
  }
  const paste = (event: ClipboardEvent): void => {
    const pasted = event.clipboardData.getData('text')
    if (pasted.length <= maxTyped) return
    event.preventDefault()
    openFile(new File([pasted], 'pasted numbers.txt'))
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the button inside also opens a file
    <div className="drop-target" onDrop={drop} onDragOver={(event) => event.preventDefault()}>
      {file.state === 'loaded' ? (
        <LoadedFileNote {...{ column, setColumn, clearFile, issues }} file={file.file} />
      ) : (
        <Field
          label="Numbers"
          hint="Any separators. Or drop a CSV, JSON, NDJSON or text file here."
          issues={issues}
        >
          {(field) => (
            <textarea
              {...field}
              value={numbers}
              rows={6}
              spellCheck={false}
              onChange={(event) => setNumbers(event.target.value)}
              onPaste={paste}
            />
          )}
        </Field>
      )}
      <FileChooser file={file} openFile={openFile} />
    </div>
  )
}

function FileChooser({ file, openFile }: Pick<NumbersInputProps, 'file' | 'openFile'>) {
  return (
    <div className="file-chooser">
      <label className="button">
        Choose a file
        <input
          type="file"
          className="visually-hidden"
          accept=".csv,.tsv,.json,.ndjson,.jsonl,.txt,text/*,application/json"
          onChange={({ target }) => {
            const [chosen] = target.files ?? []
            if (chosen !== undefined) openFile(chosen)
            // Allows choosing the same file again after it changed.
            target.value = ''
          }}
        />
      </label>
      <p role="status" className="quiet">
        {file.state === 'reading' && `Reading ${file.name} …`}
        {file.state === 'failed' && `${file.name} cannot be read: ${file.reason}`}
      </p>
    </div>
  )
}

/** Replaces the field when a file is open, and offers its columns. */
function LoadedFileNote(
  props: Pick<NumbersInputProps, 'column' | 'setColumn' | 'clearFile' | 'issues'> & {
    readonly file: LoadedFile
  },
) {
  const { file, column, setColumn, clearFile, issues } = props
  const chosen = file.columns[column]
  const hint = `${file.name}: ${chosen?.count.toLocaleString('en')} numbers${
    chosen?.skipped ? `, ${chosen.skipped.toLocaleString('en')} other values left out` : ''
  }`
  return (
    <>
      <Field label="Numbers of the file" hint={hint} issues={issues}>
        {(field) => (
          <select {...field} value={column} onChange={({ target }) => setColumn(Number(target.value))}>
            {file.columns.map(({ name, count }, i) => (
              <option key={name} value={i}>
                {name} ({count.toLocaleString('en')})
              </option>
            ))}
          </select>
        )}
      </Field>
      <button type="button" onClick={clearFile}>
        Type numbers instead
      </button>
    </>
  )
}
