const answerDelayMaxMs = 15_000;

/** What Sensors refused, as its problem details (RFC 9457) say it; status 0 when no answer came at all. */
export class Problem extends Error {
  constructor(status, title, detail, fields) {
    super(detail || title);
    this.status = status;
    /** Field name, such as criticalHigh, to its messages. */
    this.fields = fields;
  }
}

/** Asks Sensors; answers the JSON body, or throws a Problem. An abort by the caller's signal throws AbortError. */
export async function ask(path, { method = 'GET', body, signal } = {}) {
  const timeout = AbortSignal.timeout(answerDelayMaxMs);
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      cache: 'no-store',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) {
      throw error;
    }
    throw new Problem(0, 'Sensors does not answer.', 'Sensors does not answer. Is it running?', new Map());
  }
  const content = parseOrNull(text);
  if (!response.ok) {
    throw problemOf(response.status, content);
  }
  return content;
}

function parseOrNull(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function problemOf(status, content) {
  const fields = new Map();
  for (const [name, messages] of Object.entries(content?.errors ?? {})) {
    fields.set(fieldName(name), [].concat(messages).map(String));
  }
  return new Problem(status, content?.title ?? `Sensors answered ${status}.`, content?.detail, fields);
}

// JSON pointers and JSON paths name the same field in other letters: "#/low" and "$.low" are low.
function fieldName(name) {
  return name.replace(/^[#$]?[/.]?/, '').replace(/^./, letter => letter.toLowerCase());
}
