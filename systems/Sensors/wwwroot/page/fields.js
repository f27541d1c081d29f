import { html } from './elements.js';

/** Shows each message at its field; what belongs to no field of the form goes to the form's own place. The first fault is focused. */
export function showProblem(form, problem) {
  clearProblem(form);
  const loose = [];
  let first = null;
  for (const [name, messages] of problem.fields) {
    const input = form.elements.namedItem(name);
    if (!(input instanceof HTMLInputElement)) {
      loose.push(...messages);
      continue;
    }
    const id = `${input.id}-error`;
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', id);
    input.closest('.field').append(html('p', { id, class: 'field-error' }, messages.join(' ')));
    first ??= input;
  }
  if (loose.length > 0 || first === null) {
    form.querySelector('.form-problem').append(html('p', { class: 'problem', role: 'alert' }, loose.join(' ') || problem.message));
  }
  first?.focus();
}

export function clearProblem(form) {
  form.querySelectorAll('.field-error').forEach(node => node.remove());
  form.querySelector('.form-problem').replaceChildren();
  form.querySelectorAll('[aria-invalid]').forEach(input => {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  });
}
