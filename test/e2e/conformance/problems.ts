import { expect } from 'bun:test'
import type { Answer } from './service.ts'

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly request_id: string
  readonly errors?: readonly { readonly pointer: string; readonly detail: string; readonly code: string }[]
}

/** Expects a complete problem (RFC 9457) that agrees with its status line and its request id. */
export function expectProblem(answer: Answer, status: number, code: string): Problem {
  const { headers, text } = answer
  expect({ status: answer.status, type: headers.get('content-type'), text }).toEqual({
    status,
    type: 'application/problem+json',
    text,
  })
  const problem = answer.json<Problem>()
  expect(problem).toMatchObject({
    type: `urn:tally:problem:${code}`,
    title: expect.stringMatching(/./),
    status,
    detail: expect.stringMatching(/./),
    code,
    request_id: headers.get('x-request-id') ?? 'missing',
  })
  return problem
}

/** The JSON pointers that a problem names. */
export function pointersOf({ errors = [] }: Problem): string[] {
  return errors.map(({ pointer }) => pointer)
}
