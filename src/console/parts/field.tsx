import { type ReactNode, useId } from 'react'
import type { Issue } from '../api/problem.ts'

/** The attributes that link a field to its hint and issues. */
export interface FieldProps {
  readonly id: string
  readonly 'aria-describedby': string | undefined
  readonly 'aria-invalid': boolean | undefined
}

/** A labeled field with a hint and its issues. */
export function Field(props: {
  readonly label: string
  readonly hint?: ReactNode
  readonly issues?: readonly Issue[]
  readonly children: (field: FieldProps) => ReactNode
}) {
  const { label, hint, issues = [], children } = props
  const id = useId()
  const described = [hint === undefined ? '' : `${id}-hint`, issues.length === 0 ? '' : `${id}-issues`]
    .filter(Boolean)
    .join(' ')
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {hint !== undefined && (
        <p className="quiet" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {children({
        id,
        'aria-describedby': described === '' ? undefined : described,
        'aria-invalid': issues.length > 0 ? true : undefined,
      })}
      {issues.length > 0 && (
        <ul className="issues" id={`${id}-issues`}>
          {issues.map(({ pointer, detail }) => (
            <li key={`${pointer} ${detail}`}>
              {pointer} {detail}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
