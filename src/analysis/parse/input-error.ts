/** One problem at one place of the input. */
export interface ValidationIssue {
  /** JSON pointer (RFC 6901) into the input; the empty pointer is the whole input. */
  readonly pointer: string
  /** The predicate of a sentence whose subject is the place: `must be a number`. */
  readonly detail: string
  /** A stable code for programs: `type`, `missing`, `too-long`. */
  readonly code: string
}

export type InputErrorCode = 'not-utf-8' | 'malformed-json' | 'invalid-input'

/** The reason for the rejection of an input. Plain data, because it moves between threads. */
export interface InputError {
  readonly code: InputErrorCode
  /** One sentence for the caller. */
  readonly detail: string
  /** Only for `invalid-input`. */
  readonly issues?: readonly ValidationIssue[]
}
