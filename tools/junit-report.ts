export type TestFailure = { file: string; name: string; message: string }

export type TestReport = {
  /** The test files that ran, as paths from the root of the project. */
  files: Set<string>
  failures: TestFailure[]
}

/** Reads a report of `bun test --reporter=junit`. Throws if the file does not exist. */
export async function readReport(path: string): Promise<TestReport> {
  const report: TestReport = { files: new Set(), failures: [] }
  let test = { file: '', name: '' }
  const attribute = (element: HTMLRewriterTypes.Element, name: string): string =>
    element.getAttribute(name) ?? ''
  // An HTML parser ignores the `/>` of an empty test case, so a failure belongs to the last test case that began.
  new HTMLRewriter()
    .on('testcase', {
      element(element) {
        test = {
          file: attribute(element, 'file'),
          name: `${attribute(element, 'classname')} > ${attribute(element, 'name')}`,
        }
        report.files.add(test.file)
      },
    })
    .on('failure, error', {
      element(element) {
        report.failures.push({ ...test, message: firstLine(attribute(element, 'message')) })
      },
    })
    .transform(await Bun.file(path).text())
  return report
}

function firstLine(text: string): string {
  return text.split(/&#10;|\n/, 1)[0] ?? ''
}
