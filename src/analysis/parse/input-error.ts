/** What is wrong with one place of the input. */
export interface ValidationIssue {
  /** JSON pointer (RFC 6901) into the input; the empty pointer is the whole input. */
  readonly pointer: string
  /** Continues a sentence that begins with the place: `must be a number`. */
  readonly detail: string
  /** Stable, for programs: `type`, `missing`, `too-long`. */
  readonly code: string
}

export type InputErrorCode = 'not-utf-8' | 'malformed-json' | 'invalid-input'

/** Why an input was rejected. Plain data: it travels between threads. */
export interface InputError {
  readonly code: InputErrorCode
  /** One sentence for the caller. */
  readonly detail: string
  /** Only for `invalid-input`. */
  readonly issues?: readonly ValidationIssue[]
}
