import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { hashKey } from '../../../src/http/middleware/api-keys.ts'
import { haveBrowser, launchBrowser, openPage, type PageOptions } from '../../support/browser.ts'
import { noDrainWindow, type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'
import { findBarriers, useConsole } from './console.ts'

setDefaultTimeout(300_000)

describe.skipIf(!haveBrowser())('the console', () => {
  let browser: Browser
  let service: Service
  beforeAll(async () => {
    const env = { ...noDrainWindow, DEBUG_ROUTES: 'true', ACCESS_LOG: 'false', INSTANCE_NAME: 'api-1' }
    ;[browser, service] = await Promise.all([launchBrowser(), startService({ env })])
  })
  afterAll(async () => {
    await browser.close()
    await service[Symbol.asyncDispose]()
  })

  const send = async (path: string, body: unknown, method = 'POST'): Promise<{ task_id: string }> => {
    const response = await fetch(service.url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return response.json() as Promise<{ task_id: string }>
  }

  const readTask = async (id: string): Promise<{ status: string; updated_at: string }> => {
    const { task } = (await (await fetch(`${service.url}/tasks/${id}`)).json()) as {
      task: { status: string; updated_at: string }
    }
    return task
  }

  describe('analyzes', () => {
    test('typed numbers and text, and keeps them in the address', async () => {
      await useConsole(browser, service.url, async (page) => {
        await page.getByLabel('Numbers', { exact: true }).fill('1, 2; 3\n4 5')
        await page.getByLabel('Text', { exact: true }).fill('One two. Three!')
        await page.getByRole('button', { name: 'Analyze' }).click()
        const result = page.getByRole('region', { name: 'Result' })
        await result.getByRole('row', { name: 'Standard deviation 1.5811388300841898' }).waitFor()
        await result.getByRole('row', { name: 'Words 3' }).waitFor()
        await result.getByRole('figure', { name: 'Histogram: 5 numbers from 1 to 5' }).waitFor()
        await result
          .getByRole('figure', { name: 'Box plot: half of the values are between 2 and 4' })
          .waitFor()
        await page.reload()
        expect(await page.getByLabel('Numbers', { exact: true }).inputValue()).toBe('1, 2; 3\n4 5')
      })
    })

    test('a file of 100,000 numbers', async () => {
      await useConsole(browser, service.url, async (page) => {
        const lines = Array.from({ length: 100_000 }, (_, i) => `${i},${i % 7}`)
        await page.getByLabel('Choose a file').setInputFiles({
          name: 'numbers.csv',
          mimeType: 'text/csv',
          buffer: Buffer.from(`index,weekday\n${lines.join('\n')}`),
        })
        await page.getByText('numbers.csv: 100,000 numbers').waitFor()
        await page.getByLabel('Numbers of the file').selectOption({ label: 'weekday (100,000)' })
        await page.getByRole('button', { name: 'Analyze' }).click()
        await page.getByRole('row', { name: 'Count 100000' }).waitFor()
        await page.getByRole('row', { name: 'Maximum 6' }).waitFor()
      })
    })

    test('as a task, followed to its end', async () => {
      await useConsole(browser, service.url, async (page) => {
        await page.getByRole('button', { name: 'Run as a task' }).click()
        await page.getByRole('row', { name: 'Median 4.5', exact: true }).waitFor()
      })
    })

    test('and shows the error at the field', async () => {
      await useConsole(
        browser,
        service.url,
        async (page) => {
          const field = page.getByLabel('Numbers', { exact: true })
          await field.fill('')
          await until(async () => (await field.inputValue()) === '')
          await page.getByRole('button', { name: 'Analyze' }).click()
          await page.locator('.issues').filter({ hasText: '/numbers' }).waitFor()
          expect(await field.getAttribute('aria-invalid')).toBe('true')
        },
        { expectedStatuses: [400] },
      )
    })
  })

  describe('shows tasks', () => {
    test('as they change, with their details, and cancels one', async () => {
      const { task_id } = await send('/tasks', { kind: 'demo', payload: { seconds: 50 } })
      await useConsole(
        browser,
        service.url,
        async (page) => {
          await page.getByRole('row').filter({ hasText: 'processing' }).getByRole('link').first().click()
          const details = page.getByRole('region', { name: 'Task', exact: true })
          await details.getByRole('heading', { name: task_id }).waitFor()
          await details.getByText('processing').waitFor()
          await details.getByRole('button', { name: 'Cancel' }).click()
          await details.getByText('cancelled').waitFor()
          expect(page.url()).toContain(`id=${task_id}`)
        },
        { route: '#/tasks?status=processing' },
      )
    })

    test('that failed, retries one to its end, and then all of them', async () => {
      const payload = { seconds: 0, fail: 'permanently' }
      const failed: string[] = []
      for (let i = 0; i < 4; i++) failed.push((await send('/tasks', { kind: 'demo', payload })).task_id)
      for (const id of failed) await until(async () => (await readTask(id)).status === 'failed')
      const [task_id = ''] = failed
      await useConsole(
        browser,
        service.url,
        async (page) => {
          const details = page.getByRole('region', { name: 'Task', exact: true })
          await details.getByText('failed on demand').waitFor()
          const before = await readTask(task_id)
          await details.getByRole('button', { name: 'Retry' }).click()
          await until(async () => {
            const { status, updated_at } = await readTask(task_id)
            return status === 'failed' && updated_at !== before.updated_at
          })
          await page.getByRole('button', { name: 'Retry all failed' }).click()
          await page.getByText(`${failed.length} retried`, { exact: true }).waitFor()
          for (const id of failed) expect((await readTask(id)).updated_at).not.toBe(before.updated_at)
        },
        { route: `#/tasks?status=failed&id=${task_id}` },
      )
    })

    test('page by page', async () => {
      await Promise.all(
        Array.from({ length: 45 }, (_, i) => send('/tasks', { payload: `page ${i}`, delay: '1h' })),
      )
      await useConsole(
        browser,
        service.url,
        async (page) => {
          const ids = new Set<string | null>()
          for (let pages = 1; ; pages++) {
            await page.getByRole('row').nth(1).waitFor()
            for (const link of await page.getByRole('row').getByRole('link').all())
              ids.add(await link.getAttribute('title'))
            const next = page.getByRole('link', { name: 'Next page' })
            if ((await next.count()) === 0) break
            const href = await next.getAttribute('href')
            await next.click()
            // The next page has another link, or none.
            await page.locator(`a[rel=next][href="${href}"]`).waitFor({ state: 'detached' })
            expect(pages).toBeLessThan(5)
          }
          expect(ids.size).toBeGreaterThanOrEqual(45)
        },
        { route: '#/tasks?status=pending' },
      )
    })

    test('or the command that makes one, where there are none', async () => {
      await useConsole(
        browser,
        service.url,
        async (page) => {
          await page.route('**/tasks?*', (route) => route.fulfill({ json: { tasks: [] } }))
          await page.reload()
          await page.getByText('curl').first().waitFor()
        },
        { route: '#/tasks' },
      )
    })
  })

  describe('edits documents', () => {
    test('from the first version to the last', async () => {
      await useConsole(
        browser,
        service.url,
        async (page) => {
          await page.getByRole('link', { name: 'New document' }).click()
          await page.getByLabel('JSON').fill('{"id":"life","big":12345678901234567890.10}')
          await page.getByRole('button', { name: 'Create' }).click()
          await page.getByText(/^Version "/).waitFor()
          // A number beyond what JavaScript can hold keeps all its digits.
          expect(await page.getByLabel('JSON').inputValue()).toContain('12345678901234567890.10')
          await page.getByLabel('JSON').fill('{"id":"life","name":"second"}')
          await page.getByRole('button', { name: 'Save' }).click()
          // Exactly: the buttons Save and Delete together contain this text too.
          await page.getByText('Saved', { exact: true }).waitFor()
          await page.getByRole('row').filter({ hasText: 'second' }).waitFor()
          await page.getByRole('button', { name: 'Delete' }).click()
          await page.getByRole('button', { name: 'Delete for good' }).click()
          await page.getByRole('row').filter({ hasText: 'life' }).waitFor({ state: 'detached' })
          expect((await fetch(`${service.url}/data/life`)).status).toBe(404)
        },
        { route: '#/documents' },
      )
    })

    test('and shows a conflict instead of overwriting the version of another', async () => {
      await send('/data', { id: 'shared', by: 'first' })
      await useConsole(
        browser,
        service.url,
        async (page) => {
          await page.getByText(/^Version "/).waitFor()
          await send('/data/shared', { id: 'shared', by: 'another' }, 'PUT')
          await page.getByLabel('JSON').fill('{"id":"shared","by":"me"}')
          await page.getByRole('button', { name: 'Save' }).click()
          await page.getByText('The document has changed since you opened it').waitFor()
          await page
            .getByRole('region', { name: 'The other version' })
            .filter({ hasText: 'another' })
            .waitFor()
          expect(await (await fetch(`${service.url}/data/shared`)).json()).toMatchObject({ by: 'another' })
          await page.getByRole('button', { name: /^Keep mine/ }).click()
          await page.getByRole('button', { name: 'Save' }).click()
          await page.getByText('Saved', { exact: true }).waitFor()
          expect(await (await fetch(`${service.url}/data/shared`)).json()).toMatchObject({ by: 'me' })
        },
        { route: '#/documents?id=shared', expectedStatuses: [412] },
      )
    })

    test('and shows the errors at the field', async () => {
      await useConsole(
        browser,
        service.url,
        async (page) => {
          await page.getByLabel('JSON').fill('{"id":"a/b"}')
          await page.getByRole('button', { name: 'Create' }).click()
          await page.locator('.issues').filter({ hasText: '/id' }).waitFor()
        },
        { route: '#/documents?new=', expectedStatuses: [400] },
      )
    })

    test('and keeps what was typed while the page was still loading', async () => {
      const typed = '{"typed": "early"}'
      // Types as soon as the field exists, before any other work of the page.
      const script = `new MutationObserver((_, observer) => {
        const field = document.querySelector('textarea')
        if (field === null) return
        observer.disconnect()
        const { set } = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value')
        set.call(field, ${JSON.stringify(typed)})
        field.dispatchEvent(new Event('input', { bubbles: true }))
      }).observe(document, { childList: true, subtree: true })`
      await useConsole(
        browser,
        service.url,
        async (page) => {
          await page.getByRole('button', { name: 'Create' }).click()
          await page.getByText(/^Version "/).waitFor()
          expect(await page.getByLabel('JSON').inputValue()).toContain('early')
        },
        { route: '#/documents?new=', script },
      )
    })
  })

  test('asks once for a key where the service requires one, and keeps it for this tab only', async () => {
    const key = 'tally_console'
    const env = { ...noDrainWindow, API_KEYS: `console:${hashKey(key).toHex()}`, BASE_PATH: '/a/tally' }
    await using guarded = await startService({ env })
    // Without a slash at its end, as people type it.
    const url = `${guarded.url}/a/tally`
    await using opened = await openPage(browser, { expectedStatuses: [401] })
    const { page, complaints } = opened
    await page.goto(`${url}#/tasks`)
    const field = page.getByLabel('API key or token')
    await field.fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByText('The service refused this key').waitFor()
    // After declining, the user is not asked again at each request, but can still enter a key.
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Enter a key' }).click()
    await field.fill(key)
    await page.keyboard.press('Enter')
    await page.getByText('There are no tasks').waitFor()
    await page.reload()
    await page.getByText('There are no tasks').waitFor()
    expect(
      await page.evaluate('[Object.values(sessionStorage), Object.keys(localStorage), document.cookie]'),
    ).toEqual([[key], [], ''])
    expect(page.url()).not.toContain(key)
    expect(complaints).toEqual([])
  })

  test('can be used by keyboard alone', async () => {
    await useConsole(browser, service.url, async (page) => {
      const press = async (key: string, times = 1): Promise<void> => {
        for (let i = 0; i < times; i++) await page.keyboard.press(key)
      }
      const focused = () => page.locator(':focus')
      await press('Tab')
      expect(await focused().textContent()).toBe('Skip to content')
      await press('Enter')
      expect(await focused().getAttribute('id')).toBe('main')
      // The link to the API, the numbers, the file, the text, the button.
      await press('Tab', 5)
      expect(await focused().textContent()).toBe('Analyze')
      await press('Enter')
      await page.getByRole('row', { name: 'Median 4.5', exact: true }).waitFor()
      await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Tasks' }).focus()
      await press('Enter')
      await page.getByRole('heading', { level: 1, name: 'Tasks' }).waitFor()
      await page.locator('main:focus').waitFor()
    })
  })

  test('runs no script that is in its data, its address or the answers', async () => {
    const script = `<img src=x onerror="hacked=1"><script>hacked=1</script>"><svg onload=hacked=1>`
    await send('/data', { id: 'script', [script]: script })
    const { task_id } = await send('/tasks', { payload: script })
    await send('/tasks', { kind: 'analysis', payload: { numbers: [1], text: script } })
    const address = encodeURIComponent(script)
    await useConsole(
      browser,
      service.url,
      async (page) => {
        const visit = async (route: string): Promise<void> => {
          await page.goto(`${service.url}/${route}`)
          await page.reload()
          await page.getByText('<img src=x').first().waitFor()
        }
        await visit(`#/analyze?numbers=${address}&text=${address}`)
        await page.getByRole('button', { name: 'Analyze' }).click()
        await page.getByRole('alert').first().waitFor()
        await visit('#/documents?id=script')
        await visit(`#/tasks?id=${task_id}`)
        await visit(`#/tasks?id=${address}`)
        // Values that no client can store: the error of a task, and the names of instances.
        await page.route('**/console/instance', async (route) => {
          const body = await (await route.fetch()).json()
          await route.fulfill({ json: { ...body, name: script, version: script, state: script } })
        })
        await page.route('**/tasks/*/events', (route) =>
          route.fulfill({
            contentType: 'text/event-stream',
            body: `data: ${JSON.stringify({ id: task_id, status: 'failed', kind: script, error: script, payload: script, attempts: 1, priority: 1, created_at: '2026-01-01T00:00:00Z', run_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' })}\n\n`,
          }),
        )
        await visit(`#/tasks?id=${task_id}`)
        await visit('#/rollout')
        expect(await page.evaluate('typeof hacked')).toBe('undefined')
      },
      { expectedStatuses: [400, 404] },
    )
  })

  describe('has no barrier that axe finds', () => {
    const analyze = '#/analyze?numbers=1+2+3+40&text=a+bc'
    const rollout = '#/rollout?run=1&rate=20'
    const all = [analyze, '#/tasks?status=completed', '#/documents?new=', rollout]
    for (const [name, routes, options] of [
      ['in light colors', all, { colorScheme: 'light' }],
      ['in dark colors, at 320 px', all, { colorScheme: 'dark', width: 320, height: 640 }],
      ['in forced colors, without motion', [rollout], { forcedColors: 'active', reducedMotion: 'reduce' }],
    ] as const satisfies (readonly [string, readonly string[], PageOptions])[])
      test(name, async () => {
        await useConsole(
          browser,
          service.url,
          async (page) => {
            for (const route of routes) {
              await page.goto(`${service.url}/${route}`)
              if (route === analyze) await page.getByRole('button', { name: 'Analyze' }).click()
              await page
                .locator(route === analyze || route === rollout ? 'figure' : '.empty, table, form')
                .first()
                .waitFor()
              expect(await findBarriers(page)).toEqual([])
              // Nothing is wider than the window: a reader scrolls in one direction only.
              expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
            }
          },
          options,
        )
      })
  })
})
