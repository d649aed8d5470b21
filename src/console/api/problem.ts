import type { AnyResponse } from './client.ts'

/** One issue of a request body. */
export interface Issue {
  /** A JSON pointer such as `/numbers/3`. */
  readonly pointer: string
  readonly detail: string
}

/** Why a request failed: the problem document (RFC 9457), or the reason for a missing response. */
export interface Problem {
  /** 0 without a response. */
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly requestId?: string | undefined
  readonly issues: readonly Issue[]
}

export class RequestFailed extends Error {
  override readonly name = 'RequestFailed'
  constructor(readonly problem: Problem) {
    super(problem.detail)
  }
}

/**
 * Returns a successful response.
 *
 * @throws RequestFailed with the problem otherwise
 */
export async function expectOk<R extends AnyResponse>(response: R | Promise<R>): Promise<R> {
  const settled = await response
  if (!settled.ok) throw new RequestFailed(await readProblem(settled))
  return settled
}

/** The problem that a response describes. Describes a proxy's error page by its status. */
export async function readProblem(response: AnyResponse): Promise<Problem> {
  const { status, headers } = response
  const body = parseObject(await response.text())
  const read = (name: string): string | undefined =>
    typeof body[name] === 'string' ? (body[name] as string) : undefined
  return {
    status,
    code: read('code') ?? `http-${status}`,
    title: read('title') ?? `The response was ${status}`,
    detail: read('detail') ?? 'The response has no details.',
    requestId: read('request_id') ?? headers.get('x-request-id') ?? undefined,
    issues: Array.isArray(body.errors) ? (body.errors as Issue[]) : [],
  }
}

/** Converts an error of a request to a problem. */
export function toProblem(error: unknown): Problem {
  if (error instanceof RequestFailed) return error.problem
  const detail = error instanceof Error ? error.message : String(error)
  return { status: 0, code: 'no-answer', title: 'No answer', detail, issues: [] }
}

function parseObject(text: string): { readonly [member: string]: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
