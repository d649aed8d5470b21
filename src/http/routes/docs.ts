import stylePath from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' }
import bundlePath from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' }
import type { DocumentOptions } from '../openapi/document.ts'
import { json, text } from '../request-context.ts'
import type { Route } from '../route.ts'
import type { Build } from './health.ts'

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tally API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
`

const start = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#ui', deepLinking: true, validatorUrl: null })
`

/** Everything the page needs comes from here: no other host, no script in the page itself. */
const policy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

/** The API document, and a page to read and try it that works without internet. */
export function docsRoutes(documented: readonly Route[], build: Build, options: DocumentOptions): Route[] {
  let document: Promise<object> | undefined
  return [
    {
      method: 'GET',
      path: '/openapi.json',
      kind: 'page',
      handler: async (c) => {
        // Loaded when it is first asked for: a start should not wait for it.
        document ??= import('../openapi/document.ts').then(({ openApiDocument }) =>
          openApiDocument(documented, build, options),
        )
        return json(c.env, await document)
      },
    },
    {
      method: 'GET',
      path: '/docs',
      kind: 'page',
      handler: (c) =>
        text(c.env, page, 'text/html; charset=utf-8', 200, { 'content-security-policy': policy }),
    },
    {
      method: 'GET',
      path: '/docs/start.js',
      kind: 'page',
      handler: (c) => text(c.env, start, 'text/javascript; charset=utf-8'),
    },
    asset('/docs/swagger-ui-bundle.js', bundlePath, 'text/javascript; charset=utf-8'),
    asset('/docs/swagger-ui.css', stylePath, 'text/css; charset=utf-8'),
  ]
}

/** A file of the package, streamed from disk (or from inside the bundle). */
function asset(path: string, file: string, contentType: string): Route {
  return {
    method: 'GET',
    path,
    kind: 'page',
    handler: (c) => {
      const content = Bun.file(file)
      c.env.size = content.size
      return new Response(content, {
        headers: { 'content-type': contentType, 'cache-control': 'public, max-age=86400' },
      })
    },
  }
}
