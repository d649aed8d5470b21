import { type ClientResponse, hc } from 'hono/client'
import type { AppType } from '../../http/app.ts'
import { accessKey } from './access-key.ts'

/** The address of the service: the folder above the script, so that any path prefix of a proxy works. */
export const baseUrl = new URL('..', import.meta.url)

/** The typed client of the service. */
export const client = hc<AppType>(baseUrl.href, { fetch: fetchWithKey })

/** A response with an unread body. */
export type AnyResponse = Pick<ClientResponse<unknown>, 'ok' | 'status' | 'headers' | 'json' | 'text'>

type FetchInput = Parameters<typeof fetch>[0]

/** Sends the user's key. If the service refuses it, asks for another one and repeats the request. */
export async function fetchWithKey(input: FetchInput, init: RequestInit = {}): Promise<Response> {
  const used = accessKey.get()
  const response = await fetch(input, { ...init, headers: withKey(new Headers(init.headers), used) })
  if (response.status !== 401) return response
  const key = await accessKey.ask(used)
  return key === undefined ? response : fetchWithKey(input, init)
}

function withKey(headers: Headers, key: string | undefined): Headers {
  if (key === undefined) return headers
  // The service accepts tokens only in the `Authorization` header.
  if (/^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(key)) headers.set('authorization', `Bearer ${key}`)
  else headers.set('x-api-key', key)
  return headers
}
