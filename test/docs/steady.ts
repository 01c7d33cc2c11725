/** A text with everything that differs on every run replaced by what it is, so that pages stay the same. */
export const steadyText = (text: string): string =>
  text
    .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<uuid>')
    .replace(/\b[0-9a-f]{64}\b/g, '<64 hex digits>')
    .replace(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<instant>')
    .replace(/\b\d{4}-\d\d-\d\d\b/g, '<day>')
    .replace(/^[\w-]{43}$/gm, '<43 characters>')

/** The same for every text in a JSON value. */
export const steady = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(steady)
  if (typeof value === 'string') return steadyText(value)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, steady(inner)]))
}
