import { expect } from 'bun:test'
import type { ValidationIssue } from '../../src/analysis/parse/input-error.ts'

export interface ProblemBody {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly request_id: string
  readonly errors?: readonly ValidationIssue[]
}

/** Expects a complete problem (RFC 9457) that agrees with its status line and its request id. */
export async function expectProblem(response: Response, status: number, code: string): Promise<ProblemBody> {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = (await response.json()) as ProblemBody
  expect({ status: response.status, code: problem.code }).toEqual({ status, code })
  expect(problem.status).toBe(status)
  expect(problem.type).toBe(`urn:tally:problem:${code}`)
  expect(problem.title).not.toBe('')
  expect(problem.detail).not.toBe('')
  expect(problem.request_id).toBe(response.headers.get('x-request-id') ?? 'none')
  return problem
}

/** The issues of a problem as `pointer code`, for a compact comparison. */
export function placesOf({ errors = [] }: ProblemBody): string[] {
  return errors.map(({ pointer, code }) => `${pointer} ${code}`)
}
