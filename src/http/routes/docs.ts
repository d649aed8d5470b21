import { type Context, Hono, type MiddlewareHandler } from 'hono'
import stylePath from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' }
import bundlePath from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' }
import { assetPath } from '../../analysis/parse/asset-path.ts'
import type { Env } from '../env.ts'
import { pageHeaders } from '../middleware/security-headers.ts'
import type { DocumentOptions } from '../openapi/document.ts'
import { respondText } from '../respond.ts'

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

const start = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#ui',
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
})
`

/** Everything the page needs comes from this server; the page itself holds no script. */
const docsHeaders = pageHeaders({
  defaultSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
})

const fileHeaders = pageHeaders()

export interface DocsDeps extends DocumentOptions {
  /** Compresses large responses, where that is on. */
  readonly compress: MiddlewareHandler<Env>
}

/** The OpenAPI document, and a page to read and try it that works without internet access. */
export function docsRoutes({ compress, ...options }: DocsDeps) {
  let document: Promise<string> | undefined
  return new Hono<Env>()
    .use('/openapi.json', pageHeaders())
    .use('/docs', docsHeaders)
    .get('/openapi.json', compress, async (c) => {
      // Loaded on the first request: the schemas of all operations would lengthen the start.
      document ??= import('../openapi/document.ts').then(({ createOpenApiDocument }) =>
        JSON.stringify(createOpenApiDocument(options)),
      )
      return respondText(c.get('request'), await document, 'application/json')
    })
    .get('/docs', (c) => c.body(page, 200, { 'content-type': 'text/html; charset=utf-8' }))
    .get('/docs/start.js', fileHeaders, (c) =>
      c.body(start, 200, { 'content-type': 'text/javascript; charset=utf-8' }),
    )
    .get('/docs/swagger-ui-bundle.js', fileHeaders, compress, (c) =>
      respondFile(c, assetPath(bundlePath), 'text/javascript; charset=utf-8'),
    )
    .get('/docs/swagger-ui.css', fileHeaders, compress, (c) =>
      respondFile(c, assetPath(stylePath), 'text/css; charset=utf-8'),
    )
}

/** Streams a file of the package from disk, or from inside the bundle. */
function respondFile(c: Context<Env>, path: string, contentType: string): Response {
  const file = Bun.file(path)
  c.get('request').responseSize = file.size
  return new Response(file, {
    headers: { 'content-type': contentType, 'cache-control': 'public, max-age=86400' },
  })
}
