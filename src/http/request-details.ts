import { getPath } from 'hono/utils/url'
import type { AccessDetails } from '../telemetry/log/access-line.ts'

/** Finds the optional fields of the access log for a request. */
export type DescribeRequest = (request: Request, url: string) => AccessDetails

export interface RequestDetailsOptions {
  /** The address of the client. Default: not logged. */
  readonly clientAddress?: ((request: Request) => string | undefined) | undefined
  /** Whether the path is logged, without the query. */
  readonly path: boolean
  readonly userAgent: boolean
}

/** Longer texts of a client would only fill the log, in characters. */
const maxLength = 512

/**
 * Makes the function that finds the personal fields of access lines: the client's address, the path,
 * and the user agent.
 */
export function createDescribeRequest({
  clientAddress,
  path,
  userAgent,
}: RequestDetailsOptions): DescribeRequest {
  return (request, url) => ({
    clientAddress: clientAddress?.(request),
    path: path ? pathname(url).slice(0, maxLength) : undefined,
    userAgent: userAgent ? request.headers.get('user-agent')?.slice(0, maxLength) : undefined,
  })
}

/** The path of a URL as Hono reads it; `/` for a relative URL. */
export function pathname(url: string): string {
  return url.startsWith('http') ? getPath({ url } as Request) : '/'
}
