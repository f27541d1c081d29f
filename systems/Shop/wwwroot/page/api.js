import { readJson } from './exact.js';

const answerDelayMaxMs = 15_000;

/** What the Shop refused, as its problem details (RFC 9457) say it; status 0 when no answer came at all. */
export class Problem extends Error {
  constructor(status, title, detail, fields) {
    super(detail || title);
    this.status = status;
    this.title = title;
    /** Field path, such as items[0].quantity, to its messages. */
    this.fields = fields;
  }
}

/** Asks the Shop; answers the JSON body, or throws a Problem. An abort by the caller's signal throws AbortError. */
export async function ask(path, { method = 'GET', body, headers = {}, signal } = {}) {
  const timeout = AbortSignal.timeout(answerDelayMaxMs);
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      body,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      cache: 'no-store',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) {
      throw error;
    }
    throw new Problem(0, 'The Shop does not answer.', 'The Shop does not answer. Is it running?', new Map());
  }
  const content = parseOrNull(text);
  if (!response.ok) {
    throw problemOf(response.status, content);
  }
  return content;
}

function parseOrNull(text) {
  try {
    return readJson(text);
  } catch {
    return null;
  }
}

function problemOf(status, content) {
  const fields = new Map();
  for (const [name, messages] of Object.entries(content?.errors ?? {})) {
    fields.set(fieldPath(name), [].concat(messages).map(String));
  }
  const title = content?.title ?? `The Shop answered ${status}.`;
  return new Problem(status, title, content?.detail, fields);
}

// JSON pointers and JSON paths name the same field in other letters: "#/items/0/sku" and "$.items[0].sku" are items[0].sku.
function fieldPath(name) {
  return name
    .replace(/^[#$][/.]?|^\//, '')
    .replace(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.');
}
