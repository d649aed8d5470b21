import type { Issue } from '../api/problem.ts'
import { Field } from '../parts/field.tsx'

export function TextInput(props: {
  readonly value: string
  readonly onChange: (text: string) => void
  readonly issues: readonly Issue[]
}) {
  return (
    <Field label="Text" issues={props.issues}>
      {(field) => (
        <textarea
          {...field}
          value={props.value}
          rows={4}
          onChange={(event) => props.onChange(event.target.value)}
        />
      )}
    </Field>
  )
}
