import { baseUrl } from '../api/client.ts'

/**
 * A link to an operation on the API page.
 *
 * @param operation its tag and id in the OpenAPI document, such as `payload/analyzePayload`
 */
export function OperationLink(props: { readonly operation: string; readonly children: string }) {
  const url = new URL(`docs#/${props.operation}`, baseUrl)
  return (
    <a className="operation" href={url.pathname + url.hash}>
      <code>{props.children}</code>
    </a>
  )
}
