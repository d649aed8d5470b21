/**
 * Escapes text for HTML, SVG and XML, including attributes. Replaces control characters that XML 1.0 forbids even as
 * references with U+FFFD: a single one in an error text would make the whole file unreadable.
 *
 * @example escapeMarkup('a < "b"') // 'a &lt; &quot;b&quot;'
 */
export function escapeMarkup(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
}
