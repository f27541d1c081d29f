import { html } from './elements.js';

// The server alone decides what is valid; the page puts each of its messages at the field that it names.

/** Shows a problem in a form whose inputs are named by field path; moves the focus to the first field at fault. */
export function showProblem(form, problem) {
  clearProblem(form);
  const rest = [];
  let first = null;
  const inputs = [...form.elements].filter(element => element.name);
  for (const [path, messages] of problem.fields) {
    const input = inputs.find(element => element.name.toLowerCase() === path.toLowerCase());
    if (!input) {
      rest.push(...messages);
      continue;
    }
    const id = `error-${form.id}-${input.name.replace(/[^\w]/g, '-')}`;
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', id);
    input.closest('.field').append(html('p', { class: 'field-error', id }, messages.join(' ')));
    if (!first || input.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING) {
      first = input;
    }
  }
  if (rest.length > 0 || !first) {
    const text = rest.length > 0 ? rest.join(' ') : problem.message;
    form.querySelector('.form-problem').replaceChildren(html('p', { class: 'problem', role: 'alert' }, text));
  }
  first?.focus();
}

export function clearProblem(form) {
  form.querySelectorAll('.field-error').forEach(node => node.remove());
  form.querySelectorAll('[aria-invalid]').forEach(input => {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  });
  form.querySelector('.form-problem').replaceChildren();
}
