import { type ClientResponse, hc } from 'hono/client'
import type { AppType } from '../../http/app.ts'
import { accessKey } from './access-key.ts'

/** Where the service is: the folder above that of the script, whatever path a proxy puts before it. */
export const baseUrl = new URL('..', import.meta.url)

/** The service, by the types of its routes. */
export const client = hc<AppType>(baseUrl.href, { fetch: fetchWithKey })

/** A response whose body has not been read. */
export type AnyResponse = Pick<ClientResponse<unknown>, 'ok' | 'status' | 'headers' | 'json' | 'text'>

type FetchInput = Parameters<typeof fetch>[0]

/** Sends the key of the user. Where the service wants another one, asks for it, and sends the request again. */
export async function fetchWithKey(input: FetchInput, init: RequestInit = {}): Promise<Response> {
  const used = accessKey.get()
  const response = await fetch(input, { ...init, headers: withKey(new Headers(init.headers), used) })
  if (response.status !== 401) return response
  const key = await accessKey.ask(used)
  return key === undefined ? response : fetchWithKey(input, init)
}

function withKey(headers: Headers, key: string | undefined): Headers {
  if (key === undefined) return headers
  // A token is no key: the service reads it from the other header only.
  if (/^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(key)) headers.set('authorization', `Bearer ${key}`)
  else headers.set('x-api-key', key)
  return headers
}
